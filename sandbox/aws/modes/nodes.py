"""Node groups and clusters that do not come, or do not go."""

from __future__ import annotations

from .. import backends
from ..sandbox import Sandbox
from .kinds import Capacity, Degraded, DeletionFails, NodeCreationFailure


def no_capacity(sandbox: Sandbox, region: str, subnets: list[str], instance_type: str) -> str | None:
    """What the auto scaling group is told where none of its zones has instances left."""
    ec2 = backends.ec2(region)
    if with_capacity(sandbox, region, subnets, instance_type):
        return None
    zone = ec2.get_subnet(subnets[0]).availability_zone
    others = [other.name for other in ec2.describe_availability_zones() if not _is_out(sandbox, other.name, instance_type)]
    return (
        f"Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient {instance_type} "
        f"capacity in the Availability Zone you requested ({zone}). Our system will be working on provisioning additional capacity. "
        f"You can currently get {instance_type} capacity by not specifying an Availability Zone in your request or choosing "
        f"{', '.join(others)}. Launching EC2 instance failed."
    )


def with_capacity(sandbox: Sandbox, region: str, subnets: list[str], instance_type: str) -> list[str]:
    """Those of the subnets where one more instance can start."""
    ec2 = backends.ec2(region)
    return [subnet for subnet in subnets if not _is_out(sandbox, ec2.get_subnet(subnet).availability_zone, instance_type)]


def _is_out(sandbox: Sandbox, zone: str, instance_type: str) -> bool:
    out = sandbox.modes.all(Capacity)
    return any(mode.zone == zone and mode.instance_type in ("", instance_type) for mode in out)


def never_join(sandbox: Sandbox) -> bool:
    return sandbox.modes.one(NodeCreationFailure) is not None


def gives_up(sandbox: Sandbox, usual: float) -> float:
    """After so many AWS seconds EKS says that nodes have not joined."""
    mode = sandbox.modes.one(NodeCreationFailure)
    return mode.seconds if mode else usual


def degraded(sandbox: Sandbox) -> bool:
    return sandbox.modes.one(Degraded) is not None


def deletion_fails(sandbox: Sandbox, kind: str) -> bool:
    """Counts it."""
    for mode in sandbox.modes.all(DeletionFails):
        if mode.kind == kind and mode.times > 0:
            mode.times -= 1
            return True
    return False
