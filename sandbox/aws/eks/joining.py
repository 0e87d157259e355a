"""Would a node join? What must be there on AWS before an instance finds its cluster, each with the health issue that a
node group shows when it is not.
"""

from __future__ import annotations

from typing import Any

from .. import backends
from . import roles
from .state import Cluster, Issue, Nodegroup


def obstacles(cluster: Cluster, group: Nodegroup) -> list[Issue]:
    instances = [node.instance_id for node in group.nodes]
    reasons = list(_reasons(cluster, group))
    if not reasons:
        return []
    message = "Instances failed to join the kubernetes cluster: " + "; ".join(reasons)
    return [Issue("NodeCreationFailure", message, instances)]


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


def _subnet_of(ec2: Any, instance: str) -> str:
    return ec2.get_instance(instance).subnet_id


def _reaches_out(ec2: Any, subnet: str) -> bool:
    found = ec2.get_subnet(subnet)
    tables = [table for table in ec2.route_tables.values() if table.vpc_id == found.vpc_id]
    own = [table for table in tables if subnet in table._associations.values()]
    main = [table for table in tables if table.main_association_id]
    for table in (own or main)[:1]:
        for route in table.routes:
            if route.destination_cidr_block != "0.0.0.0/0":
                continue
            if route.nat_gateway is not None:
                return route.nat_gateway.state == "available"
            if route.gateway is not None:
                # Through an internet gateway only with a public address.
                return _flag(found.map_public_ip_on_launch)
    return False


def _flag(value: Any) -> bool:
    return value in (True, "true", "True")
