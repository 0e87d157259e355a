"""What EKS checks and makes in the VPC: subnets in two zones, a security group, the control plane's interfaces."""

from __future__ import annotations

from .. import backends
from ..ec2 import interfaces
from ..errors import AwsError
from .state import Cluster, new_id

# EKS has no control planes there (EKS User Guide, "Subnet requirements for clusters").
REFUSED_ZONE_IDS = {"use1-az3", "usw1-az2", "cac1-az3"}


def check_subnets(region: str, cluster: str, subnets: list[str]) -> str:
    """Returns the VPC that all of them are in."""
    ec2 = backends.ec2(region)
    found = []
    for wanted in subnets:
        subnet = next((zone[wanted] for zone in ec2.subnets.values() if wanted in zone), None)
        if subnet is None:
            raise AwsError(
                "InvalidParameterException",
                f"The subnet ID '{wanted}' does not exist (Service: AmazonEC2; Status Code: 400; "
                "Error Code: InvalidSubnetID.NotFound)",
            )
        found.append(subnet)
    if len({subnet.vpc_id for subnet in found}) > 1:
        raise AwsError("InvalidParameterException", "Subnets specified must be in the same VPC")
    if len({subnet.availability_zone for subnet in found}) < 2:
        raise AwsError("InvalidParameterException", "Subnets specified must be in at least two different AZs")
    for subnet in found:
        if subnet.availability_zone_id in REFUSED_ZONE_IDS:
            zones = [zone for zone in ec2.describe_availability_zones() if zone.zone_id not in REFUSED_ZONE_IDS]
            valid = [zone.name for zone in zones]
            raise AwsError(
                "UnsupportedAvailabilityZoneException",
                f"Cannot create cluster '{cluster}' because {subnet.availability_zone}, the targeted availability "
                "zone, does not currently have sufficient capacity to support the cluster. Retry and choose from "
                f"these availability zones: {', '.join(valid)}",
                clusterName=cluster,
                validZones=valid,
            )
    return found[0].vpc_id


def check_move(cluster: Cluster, subnets: list[str]) -> None:
    """EKS keeps the zones of a cluster for ever (API reference, UpdateClusterConfig)."""
    if check_subnets(cluster.region, cluster.name, subnets) != cluster.vpc:
        raise AwsError("InvalidParameterException", "Subnets specified must be in the same VPC", clusterName=cluster.name)
    now, wanted = _zones(cluster.region, cluster.subnets), _zones(cluster.region, subnets)
    if now != wanted:
        raise AwsError(
            "InvalidParameterException",
            f"Provided subnets belong to the AZs '{','.join(sorted(wanted))}'. But they should belong to the exact set "
            f"of AZs '{','.join(sorted(now))}' in which subnets were provided during cluster creation.",
            clusterName=cluster.name,
        )


def _zones(region: str, subnets: list[str]) -> set[str]:
    by_zone = backends.ec2(region).subnets
    return {zone for zone, there in by_zone.items() if any(subnet in there for subnet in subnets)}


def create_security_group(cluster: Cluster) -> None:
    ec2 = backends.ec2(cluster.region)
    name = f"eks-cluster-sg-{cluster.name}-{new_id(10)}"
    group = ec2.create_security_group(
        name,
        "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as "
        "any managed workloads.",
        vpc_id=cluster.vpc,
        tags={
            "Name": name,
            "aws:eks:cluster-name": cluster.name,
            f"kubernetes.io/cluster/{cluster.name}": "owned",
        },
    )
    ec2.authorize_security_group_ingress(
        group.id, "-1", None, None, [], source_groups=[{"GroupId": group.id}], vpc_id=cluster.vpc
    )
    cluster.security_group = group.id


def create_interfaces(cluster: Cluster) -> None:
    """They belong to EKS: nobody else can delete them, and they hold their subnets until the cluster is gone."""
    groups = [group for group in [cluster.security_group, *cluster.security_groups] if group]
    for subnet in cluster.subnets[:2]:
        made = interfaces.of_service(cluster.region, subnet, groups, f"Amazon EKS {cluster.name}", "amazon-eks")
        cluster.interfaces.append(made.id)


def delete_interfaces(cluster: Cluster) -> None:
    for interface in cluster.interfaces:
        backends.ec2(cluster.region).enis.pop(interface, None)
    cluster.interfaces.clear()


def delete_all(cluster: Cluster) -> None:
    ec2 = backends.ec2(cluster.region)
    delete_interfaces(cluster)
    group = ec2.get_security_group_from_id(cluster.security_group)
    # As on AWS, a group that somebody still uses stays, and holds the VPC.
    if group and not any(group in interface.group_set for interface in ec2.enis.values()):
        ec2.groups[cluster.vpc].pop(group.id, None)
