"""The interfaces that the VPC CNI adds to an instance for its pods. They go with the instance, except when it ends
between the CNI's detach and delete: then they stay, `available`, for ever. Tests ask for that by `leak_interfaces`.
"""

from __future__ import annotations

from typing import Any

from .. import backends
from ..clock import now
from ..ec2.interfaces import free_address
from ..sandbox import Sandbox
from ..world import NodeSpec
from .state import Cluster


def attach(cluster: Cluster, node: NodeSpec) -> None:
    """One, as the CNI keeps one ready."""
    if "vpc-cni" not in cluster.addons and not cluster.self_managed_addons:
        return
    ec2 = backends.ec2(cluster.region)
    instance = ec2.get_instance(node.instance_id)
    subnet = ec2.get_subnet(instance.subnet_id)
    groups = [group.id for group in instance.nics[0].group_set]
    made: Any = ec2.create_network_interface(
        subnet,
        free_address(ec2, subnet),
        group_ids=groups,
        description=f"aws-K8S-{instance.id}",
        tags={
            "cluster.k8s.amazonaws.com/name": cluster.name,
            "node.k8s.amazonaws.com/instance_id": instance.id,
            "node.k8s.amazonaws.com/createdAt": f"{now():%Y-%m-%dT%H:%M:%SZ}",
        },
        delete_on_termination=True,
    )
    instance.attach_eni(made, 1)


def leave(sandbox: Sandbox, cluster: Cluster, node: NodeSpec) -> None:
    """Before the instance ends, if it is to leak."""
    instance = backends.ec2(cluster.region).get_instance(node.instance_id)
    if sandbox.leak_interfaces and 1 in instance.nics:
        instance.detach_eni(instance.nics[1])
