"""The quotas of running on-demand instances, as an account has them that has been in use for a while; a test may lower them."""

from __future__ import annotations

import re
from typing import Any

from .. import backends
from ..call import Call
from ..eks import instance_types
from ..errors import AwsError
from ..hooks import handles
from ..modes.kinds import Quota
from ..sandbox import Sandbox

# Name, families, and vCPUs.
QUOTAS: dict[str, tuple[str, frozenset[str], float]] = {
    "L-1216C47A": (
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        frozenset("a c d h i im is m r t z".split()),
        256.0,
    ),
    "L-DB2E81BA": ("Running On-Demand G and VT instances", frozenset(("g", "gr", "vt")), 64.0),
    "L-417A185B": ("Running On-Demand P instances", frozenset("p"), 64.0),
}
# As CloudWatch calls them.
CLASSES = {"L-1216C47A": "Standard/OnDemand", "L-DB2E81BA": "G/OnDemand", "L-417A185B": "P/OnDemand"}


@handles("service-quotas", "GetServiceQuota", "GetAWSDefaultServiceQuota")
def get_service_quota(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    service, code = call.params["ServiceCode"], call.params["QuotaCode"]
    if service != "ec2" or code not in QUOTAS:
        raise AwsError("NoSuchResourceException", "The request failed because the specified service quota does not exist.")
    name, _, usual = QUOTAS[code]
    quota = {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{call.region}:{backends.ACCOUNT}:ec2/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": usual if call.operation == "GetAWSDefaultServiceQuota" else _limit(sandbox, code),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "UsageMetric": {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": {"Class": CLASSES[code], "Resource": "vCPU", "Service": "EC2", "Type": "Resource"},
            "MetricStatisticRecommendation": "Maximum",
        },
    }
    return {"Quota": quota}


def refusal(sandbox: Sandbox, region: str, kind: str, count: int) -> str | None:
    """What the auto scaling group is told where so many more of a type are beyond the quota."""
    code = next((code for code, (_, families, _) in QUOTAS.items() if _family(kind) in families), None)
    size = instance_types.size(kind)
    if code is None or size is None:
        return None
    limit = _limit(sandbox, code)
    running = [instance.instance_type for instance in backends.ec2(region).all_running_instances()]
    sizes = [instance_types.size(other) for other in running if _family(other) in QUOTAS[code][1]]
    used = sum(other.vcpus for other in sizes if other)
    if used + count * size.vcpus <= limit:
        return None
    return (
        "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU "
        f"limit of {limit:.0f} allows for the instance bucket that the specified instance type belongs to. Please visit "
        "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit. Launching EC2 instance failed."
    )


def _limit(sandbox: Sandbox, code: str) -> float:
    """The usual one, unless a test has lowered it."""
    return next((mode.vcpus for mode in sandbox.modes.all(Quota) if mode.code == code), QUOTAS[code][2])


def _family(kind: str) -> str:
    return re.split(r"[^a-z]", kind, maxsplit=1)[0]
