"""Would a node join? What must be there on AWS before an instance finds its cluster. A node group says no more than that
its instances failed to join: what was missing stands in the log.
"""

from __future__ import annotations

import logging
from typing import Any

from .. import backends
from . import roles
from .state import Cluster, Issue, Nodegroup

log = logging.getLogger("aws.eks")
_told: dict[str, list[str]] = {}  # by the node group's ARN: what was last said of it
FAILED = "Instances failed to join the kubernetes cluster"


def obstacles(cluster: Cluster, group: Nodegroup) -> list[Issue]:
    instances = [node.instance_id for node in group.nodes]
    if closed := _without_addresses(cluster, group):
        message = (
            f"One or more Amazon EC2 Subnets of [{', '.join(closed)}] for node group {group.name} does not automatically assign "
            "public IP addresses to instances launched into it. If you want your instances to be assigned a public IP address, "
            "then you need to enable auto-assign public IP address for the subnet."
        )
        return [Issue("Ec2SubnetInvalidConfiguration", message, closed)]
    reasons = list(_reasons(cluster, group))
    if not reasons:
        return []
    if _told.get(group.arn) != reasons:
        _told[group.arn] = reasons
        log.info("instances of %s cannot join %s: %s", group.name, cluster.name, "; ".join(reasons))
    return [Issue("NodeCreationFailure", FAILED, instances)]


def _reasons(cluster: Cluster, group: Nodegroup) -> Any:
    ec2 = backends.ec2(cluster.region)
    for subnet in {_subnet_of(ec2, node.instance_id) for node in group.nodes}:
        if not _reaches_out(ec2, subnet):
            yield f"subnet {subnet} has no route to a working NAT or internet gateway"
    vpc = ec2.vpcs[cluster.vpc]
    if not _flag(vpc.enable_dns_support) or not _flag(vpc.enable_dns_hostnames):
        yield f"VPC {cluster.vpc} lacks DNS support or DNS hostnames"
    if not cluster.self_managed_addons:
        for addon in ("vpc-cni", "kube-proxy"):
            if addon not in cluster.addons:
                yield f"add-on {addon} is not installed"
    role = roles.find(group.spec["nodeRole"])
    policies = roles.attached(role) if role else set()
    if "AmazonEKSWorkerNodePolicy" not in policies:
        yield "the node role lacks AmazonEKSWorkerNodePolicy"
    if not policies & {"AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryReadOnly"}:
        yield "the node role lacks AmazonEC2ContainerRegistryPullOnly"
    if "AmazonEKS_CNI_Policy" not in policies:
        yield "the node role lacks AmazonEKS_CNI_Policy"
    entry = cluster.entries.get(group.spec["nodeRole"])
    if cluster.mode == "API" and (entry is None or role is None or entry.principal_id != role.id):
        yield "the node role has no access entry"


def _without_addresses(cluster: Cluster, group: Nodegroup) -> list[str]:
    """Its subnets that reach out through an internet gateway, and give no public addresses."""
    ec2 = backends.ec2(cluster.region)
    return [
        subnet
        for subnet in group.spec["subnets"]
        if (route := _way_out(ec2, subnet)) and route.gateway and not _flag(ec2.get_subnet(subnet).map_public_ip_on_launch)
    ]


def _subnet_of(ec2: Any, instance: str) -> str:
    return ec2.get_instance(instance).subnet_id


def _reaches_out(ec2: Any, subnet: str) -> bool:
    route = _way_out(ec2, subnet)
    if route is None:
        return False
    return route.nat_gateway.state == "available" if route.nat_gateway is not None else route.gateway is not None


def _way_out(ec2: Any, subnet: str) -> Any | None:
    """The default route of its table, or of the VPC's."""
    vpc = ec2.get_subnet(subnet).vpc_id
    tables = [table for table in ec2.route_tables.values() if table.vpc_id == vpc]
    own = [table for table in tables if subnet in table._associations.values()]
    main = [table for table in tables if table.main_association_id]
    routes = [route for table in (own or main)[:1] for route in table.routes]
    return next((route for route in routes if route.destination_cidr_block == "0.0.0.0/0"), None)


def _flag(value: Any) -> bool:
    return value in (True, "true", "True")
