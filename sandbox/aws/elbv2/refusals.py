"""What Elastic Load Balancing refuses and moto does not, and what a balancer shows."""

from __future__ import annotations

from moto.elbv2.models import AvailabilityZone, FakeLoadBalancer

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox
from .target_health import target_groups_of

AvailabilityZone.load_balancer_addresses = []  # type: ignore[attr-defined]
FakeLoadBalancer.enable_prefix_for_ipv6_source_nat = "off"  # type: ignore[attr-defined]


@before("elbv2", "DeleteLoadBalancer")
def check_protection(sandbox: Sandbox, call: Call) -> None:
    balancer = backends.elbv2(call.region).load_balancers.get(call.params["LoadBalancerArn"])
    if balancer is not None and balancer.attrs.get("deletion_protection.enabled") == "true":
        message = f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection is enabled"
        raise AwsError("OperationNotPermitted", message, 400)


@before("elbv2", "CreateListener")
def check_port(sandbox: Sandbox, call: Call) -> None:
    balancer = backends.elbv2(call.region).load_balancers.get(call.params["LoadBalancerArn"])
    taken = [int(listener.port) for listener in balancer.listeners.values() if listener.port] if balancer else []
    if call.params.get("Port") in taken:
        message = f"A listener already exists on this port for this load balancer '{call.params['LoadBalancerArn']}'"
        raise AwsError("DuplicateListener", message, 400)


@before("elbv2", "DeleteTargetGroup")
def check_use(sandbox: Sandbox, call: Call) -> None:
    arn = call.params["TargetGroupArn"]
    balancers = backends.elbv2(call.region).load_balancers.values()
    if any(arn in target_groups_of(listener) for balancer in balancers for listener in balancer.listeners.values()):
        raise AwsError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule", 400)
