"""Target health by looking: initial until first checked, then what a connection says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.elbv2.models import FakeTargetGroup

from .. import backends
from ..call import Call
from ..hooks import handles
from ..sandbox import Sandbox

# AWS seconds until a new target can be healthy: registration and the first checks.
INITIAL = 60

# By target group and target: when it was first seen, and the last look (None: not yet).
_seen: dict[tuple[str, str], float] = {}
_healthy: dict[tuple[str, str], bool] = {}


def target_groups_of(listener: Any) -> Iterator[str]:
    for action in listener.default_actions:
        if arn := action.data.get("TargetGroupArn"):
            yield arn
            continue
        groups = action.data.get("ForwardConfig", {}).get("TargetGroups", [])
        for group in groups if isinstance(groups, list) else groups.get("member", []):
            yield group["TargetGroupArn"]


def forwarded(elbv2: Any, group: FakeTargetGroup) -> list[tuple[str, int]]:
    """The healthy targets; all of them when none is (a balancer fails open)."""
    addresses = {key: _address(elbv2, target) for key, target in group.targets.items()}
    known = {key: address for key, address in addresses.items() if address is not None}
    healthy = [address for key, address in known.items() if _healthy.get((group.arn, key))]
    return healthy or list(known.values())


def look(sandbox: Sandbox) -> None:
    """Looks at every registered target, off the lock."""
    with backends.LOCK:
        checks = {
            (group.arn, key): (_address(elbv2, target), _check_port(group, target))
            for elbv2 in backends.all_elbv2()
            for group in elbv2.target_groups.values()
            for key, target in group.targets.items()
        }
    for key, (address, port) in checks.items():
        due = _seen.setdefault(key, sandbox.clock.due(INITIAL))
        if sandbox.clock.reached(due):
            healthy = address is not None and sandbox.world.target_healthy(address[0], port)
            if _healthy.get(key) != healthy:
                _healthy[key] = healthy
                sandbox.timeline.note("target", " ".join(key), "healthy" if healthy else "unhealthy")
    for gone in [key for key in _seen if key not in checks]:
        _seen.pop(gone, None)
        _healthy.pop(gone, None)


@handles("elbv2", "DescribeTargetHealth")
def describe_target_health(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    elbv2 = backends.elbv2(call.region)
    arn = call.params["TargetGroupArn"]
    # moto checks that the group exists, and knows what to say of targets that are not registered.
    shown = elbv2.describe_target_health(arn, call.params.get("Targets", []))
    group = elbv2.target_groups[arn]
    used = any(
        arn in target_groups_of(listener)
        for balancer in elbv2.load_balancers.values()
        for listener in balancer.listeners.values()
    )
    return {"TargetHealthDescriptions": [_description(group, health, used) for health in shown]}


def _description(group: FakeTargetGroup, health: Any, used: bool) -> dict[str, Any]:
    target = group.targets.get(health.instance_id)
    state = {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }
    if target is not None:
        state = _state(group, health.instance_id, used)
    port = int(health.port)
    return {
        "Target": {"Id": health.instance_id, "Port": port},
        "HealthCheckPort": str(_check_port(group, target or {"Port": port})),
        "TargetHealth": state,
    }


def _state(group: FakeTargetGroup, target: str, used: bool) -> dict[str, str]:
    if not used:
        message = "Target group is not configured to receive traffic from the load balancer"
        return {"State": "unused", "Reason": "Target.NotInUse", "Description": message}
    match _healthy.get((group.arn, target)):
        case None:
            message = "Target registration is in progress"
            return {"State": "initial", "Reason": "Elb.RegistrationInProgress", "Description": message}
        case True:
            return {"State": "healthy"}
        case _:
            return {"State": "unhealthy", "Reason": "Target.FailedHealthChecks", "Description": "Health checks failed"}


def _address(elbv2: Any, target: dict[str, Any]) -> tuple[str, int] | None:
    if not target["Id"].startswith("i-"):
        return target["Id"], int(target["Port"])
    instance = elbv2.ec2_backend.get_instance_by_id(target["Id"])
    if instance is None or instance.state != "running":
        return None
    return instance.private_ip, int(target["Port"])


def _check_port(group: FakeTargetGroup, target: dict[str, Any]) -> int:
    port = group.health_check_port
    return int(target["Port"]) if port in (None, "traffic-port") else int(port)
