"""A balancer's life: provisioning, active; its network interfaces, which outlive it a little."""

from __future__ import annotations

import ipaddress
from typing import Any

from moto.elbv2.exceptions import DuplicateLoadBalancerName
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

from .. import backends
from ..call import Call
from ..ec2 import interfaces
from ..hooks import after, before
from ..sandbox import Sandbox

# AWS seconds: an NLB is provisioning for two or three minutes; its interfaces go a minute after it.
PROVISIONING = 150
INTERFACES_STAY = 60

_leaving: list[tuple[float, str, list[str]]] = []

# moto's becomes active by being looked at.
FakeLoadBalancer.activate = lambda self: None  # type: ignore[method-assign]

_moto_create = ELBv2Backend.create_load_balancer


def _create(self: ELBv2Backend, *args: Any, **kwargs: Any) -> FakeLoadBalancer:
    if any(balancer.name == kwargs.get("name") for balancer in self.load_balancers.values()):
        raise DuplicateLoadBalancerName()
    balancer = _moto_create(self, *args, **kwargs)
    identifier = balancer.arn.rsplit("/", 1)[-1]
    if balancer.type == "network":
        _rename(self, balancer, balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/"))
        balancer.dns_name = f"{balancer.name}-{identifier}.elb.{self.region_name}.amazonaws.com"
    else:
        balancer.dns_name = f"{balancer.name}-{int(identifier[:8], 16)}.{self.region_name}.elb.amazonaws.com"
    path = balancer.arn.split("loadbalancer/")[1]
    balancer.interfaces = []
    for subnet in balancer.subnets:
        made = interfaces.of_service(
            self.region_name, subnet.id, balancer.security_groups or [], f"ELB {path}", "amazon-elb"
        )
        if balancer.scheme == "internet-facing":
            made.public_ip = _public_address(made.private_ip_address)
        balancer.interfaces.append(made.id)
    return balancer


ELBv2Backend.create_load_balancer = _create  # type: ignore[method-assign]


def _rename(elbv2: ELBv2Backend, balancer: FakeLoadBalancer, arn: str) -> None:
    """moto calls every balancer an application balancer."""
    tags = elbv2.tagging_service.list_tags_for_resource(balancer.arn)["Tags"]
    elbv2.tagging_service.delete_all_tags_for_resource(balancer.arn)
    del elbv2.load_balancers[balancer.arn]
    balancer.arn = arn
    elbv2.load_balancers[arn] = balancer
    elbv2.tagging_service.tag_resource(arn, tags)


def _public_address(private: str) -> str:
    """Of the block for documentation (RFC 5737), so that nobody takes it for a real one."""
    return str(ipaddress.ip_address("203.0.113.0") + int(private.rsplit(".", 1)[-1]))


@after("elbv2", "CreateLoadBalancer")
def created(sandbox: Sandbox, call: Call, response: Any) -> None:
    for balancer in backends.elbv2(call.region).load_balancers.values():
        if not hasattr(balancer, "due"):
            balancer.due = sandbox.clock.due(PROVISIONING)  # type: ignore[attr-defined]


@before("elbv2", "DeleteLoadBalancer")
def deleting(sandbox: Sandbox, call: Call) -> None:
    balancer = backends.elbv2(call.region).load_balancers.get(call.params["LoadBalancerArn"])
    if balancer is not None:
        _leaving.append((sandbox.clock.due(INTERFACES_STAY), call.region, balancer.interfaces))  # type: ignore[attr-defined]


@after("elbv2", "DeleteLoadBalancer", "DeleteTargetGroup", "DeleteListener")
def forget_tags(sandbox: Sandbox, call: Call, response: Any) -> None:
    """moto keeps the tags of what is gone, and of the listeners and rules that went with it."""
    elbv2 = backends.elbv2(call.region)
    there = {*elbv2.load_balancers, *elbv2.target_groups}
    for balancer in elbv2.load_balancers.values():
        there |= {*balancer.listeners, *(rule for found in balancer.listeners.values() for rule in found.rules)}
    for arn in [arn for arn in elbv2.tagging_service.tags if arn not in there]:
        elbv2.tagging_service.delete_all_tags_for_resource(arn)


def settle(sandbox: Sandbox) -> None:
    for leaving in list(_leaving):
        due, region, ids = leaving
        if sandbox.clock.reached(due):
            for interface in ids:
                backends.ec2(region).enis.pop(interface, None)
                sandbox.timeline.note("balancer-interface", interface, "gone", sandbox.clock.unix(due))
            _leaving.remove(leaving)
