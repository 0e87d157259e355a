"""Service Quotas."""

from __future__ import annotations

from .account import Account

G = "L-DB2E81BA"


class Quotas(Account):
    def test_a_quota_is_told_as_aws_tells_it(self) -> None:
        quotas = self.client("service-quotas")
        quota = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=G)["Quota"]
        self.assertEqual((quota["QuotaName"], quota["Value"]), ("Running On-Demand G and VT instances", 64.0))
        default = quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=G)["Quota"]
        self.assertEqual(default["QuotaCode"], G)
        self.refused("NoSuchResourceException", quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-00000000")
