"""VPCs and subnets are pending for a moment; moto has them at once."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..hooks import after
from ..sandbox import Sandbox

PENDING = 2  # AWS seconds

_pending: list[Any] = []


@after("ec2", "CreateVpc", "CreateSubnet")
def created(sandbox: Sandbox, call: Call, response: Any) -> None:
    ec2 = backends.ec2(call.region)
    text = response.get_data(as_text=True)
    if call.operation == "CreateVpc":
        found: Any = next(vpc for vpc in ec2.vpcs.values() if f"<vpcId>{vpc.id}</vpcId>" in text)
    else:
        subnets = (subnet for zone in ec2.subnets.values() for subnet in zone.values())
        found = next(subnet for subnet in subnets if f"<subnetId>{subnet.id}</subnetId>" in text)
    found.state, found.due = "pending", sandbox.clock.due(PENDING)
    _pending.append(found)
    response.set_data(text.replace("<state>available</state>", "<state>pending</state>", 1))


def settle(sandbox: Sandbox) -> None:
    for found in [found for found in _pending if sandbox.clock.reached(found.due)]:
        found.state = "available"
        _pending.remove(found)
