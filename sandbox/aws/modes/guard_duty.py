"""What GuardDuty's runtime monitoring puts into a VPC with a cluster, and nobody takes away with the cluster.

Seen in hashicorp/terraform-provider-aws#46747 and #46953: an interface endpoint of guardduty-data with an interface in each
of the cluster's subnets, and a security group for it, both tagged GuardDutyManaged.
"""

from __future__ import annotations

from .. import backends
from ..ec2 import interfaces
from ..eks import state
from ..sandbox import Sandbox
from .kinds import GuardDuty

TAG = {"GuardDutyManaged": "true"}

# VPCs that have it, or had it: it is put there once.
_watched: set[str] = set()


def settle(sandbox: Sandbox) -> None:
    if sandbox.modes.one(GuardDuty) is None:
        return
    for cluster in state.clusters.values():
        if cluster.status == "ACTIVE" and cluster.vpc not in _watched:
            _watched.add(cluster.vpc)
            _watch(cluster.region, cluster.vpc, cluster.subnets)


def _watch(region: str, vpc: str, subnets: list[str]) -> None:
    ec2 = backends.ec2(region)
    cidr = ec2.vpcs[vpc].cidr_block
    name, description = f"GuardDutyManagedSecurityGroup-{vpc}", f"Associated with VPC-{vpc} and tagged as GuardDutyManaged"
    group = ec2.create_security_group(name, description, vpc_id=vpc, tags=dict(TAG))
    ec2.authorize_security_group_ingress(group.id, "tcp", "443", "443", [{"CidrIp": cidr}], vpc_id=vpc)
    service = f"com.amazonaws.{region}.guardduty-data"
    # Without subnets: moto would make interfaces with addresses of its own.
    endpoint = ec2.create_vpc_endpoint(
        vpc, service, "Interface", None, [], subnet_ids=[], security_group_ids=[group.id], tags=dict(TAG), private_dns_enabled=True
    )
    zones: dict[str, str] = {}
    for subnet in subnets:
        zones.setdefault(ec2.get_subnet(subnet).availability_zone, subnet)
    endpoint.subnet_ids = list(zones.values())
    endpoint.network_interface_ids = [
        interfaces.of_service(region, subnet, [group.id], f"VPC Endpoint Interface {endpoint.id}", "amazon-aws").id
        for subnet in endpoint.subnet_ids
    ]
