"""NAT gateways take their time: pending, available, deleting, deleted, and a ghost for about an hour."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.nat_gateways import NatGateway

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import after, before
from ..policy import like
from ..sandbox import Sandbox
from . import addresses
from .interfaces import free_address

# AWS seconds, as seen in public logs: available after 1:25-2:05, deleted after 0:42-1:34.
PENDING = 100
DELETING = 60
GHOST = 3600


@before("ec2", "CreateNatGateway")
def check_create(sandbox: Sandbox, call: Call) -> None:
    if call.params.get("ConnectivityType", "public") != "public":
        return
    if not call.params.get("AllocationId"):
        raise AwsError("MissingParameter", "The request must include the AllocationId parameter.")
    found = addresses.find(call)
    if found is None:
        raise AwsError("InvalidElasticIpID.NotFound", f"The elasticIp ID '{call.params['AllocationId']}' does not exist")


# moto shows the gateway as it is made: it has to be born pending, with an address of its subnet.
_moto_create = EC2Backend.create_nat_gateway


def _create(self: EC2Backend, subnet_id: str, allocation_id: str, *args: Any, **kwargs: Any) -> NatGateway:
    address = free_address(self, self.get_subnet(subnet_id))
    # One that somebody has already is taken all the same, and told of when the gateway fails.
    taken = any(found.allocation_id == allocation_id and found.association_id for found in self.addresses)
    gateway = _moto_create(self, subnet_id, "" if taken else allocation_id, *args, **kwargs)
    gateway.state = "pending"
    gateway.private_ip = address
    interface = gateway._eni
    interface.private_ip_address = address
    interface.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
    interface.description = f"Interface for NAT Gateway {gateway.id}"
    interface.requester_managed, interface.status = True, "in-use"
    interface.requester_id, interface.interface_type = "amazon-aws", "nat_gateway"
    interface._group_set = []
    gateway.address_set[0] |= {"privateIp": address, "isPrimary": True, "status": "succeeded"}
    if taken:
        gateway.taken = allocation_id  # type: ignore[attr-defined]
        gateway.address_set[0] |= {"allocationId": allocation_id, "status": "failed"}
    return gateway


EC2Backend.create_nat_gateway = _create  # type: ignore[method-assign]


@after("ec2", "CreateNatGateway")
def created(sandbox: Sandbox, call: Call, response: Any) -> None:
    for gateway in backends.ec2(call.region).nat_gateways.values():
        if gateway.state == "pending" and not hasattr(gateway, "due"):
            gateway.due = sandbox.clock.due(PENDING)  # type: ignore[attr-defined]


_moto_describe = EC2Backend.describe_nat_gateways


def _describe(self: EC2Backend, filters: Any, nat_gateway_ids: list[str] | None) -> list[NatGateway]:
    """moto passes by filters on tags: whoever asks for their own gateways would be given everybody's."""
    missing = [wanted for wanted in nat_gateway_ids or [] if wanted not in self.nat_gateways]
    if missing:
        raise AwsError("NatGatewayNotFound", f"The Nat Gateway {missing[0]} was not found")
    by_tag = {name: values for name, values in (filters or {}).items() if name.startswith("tag")}
    return [found for found in _moto_describe(self, filters, nat_gateway_ids) if _has_tags(found, by_tag)]


def _has_tags(gateway: NatGateway, by_tag: dict[str, list[str]]) -> bool:
    tags = {tag["key"]: tag["value"] for tag in gateway.get_tags()}
    for name, wanted in by_tag.items():
        values = list(tags) if name == "tag-key" else [tags[key] for key in [name.removeprefix("tag:")] if key in tags]
        if not any(like(pattern, value) for pattern in wanted for value in values):
            return False
    return True


EC2Backend.describe_nat_gateways = _describe  # type: ignore[method-assign]


@before("ec2", "DeleteNatGateway")
def check_delete(sandbox: Sandbox, call: Call) -> None:
    wanted = call.params["NatGatewayId"]
    gateway = backends.ec2(call.region).nat_gateways.get(wanted)
    if gateway is None or gateway.state == "deleted":
        raise AwsError("NatGatewayNotFound", f"The Nat Gateway {wanted} was not found")


def _delete(self: EC2Backend, nat_gateway_id: str) -> NatGateway:
    gateway = self.nat_gateways[nat_gateway_id]
    if gateway.state != "deleting":
        gateway.state = "deleting"
        del gateway.due  # type: ignore[attr-defined]
    return gateway


EC2Backend.delete_nat_gateway = _delete  # type: ignore[method-assign]


@after("ec2", "DeleteNatGateway")
def deleting(sandbox: Sandbox, call: Call, response: Any) -> None:
    gateway = backends.ec2(call.region).nat_gateways[call.params["NatGatewayId"]]
    if not hasattr(gateway, "due"):
        gateway.due = sandbox.clock.due(DELETING)  # type: ignore[attr-defined]


def settle(sandbox: Sandbox) -> None:
    for ec2 in backends.all_ec2():
        for gateway in list(ec2.nat_gateways.values()):
            due = getattr(gateway, "due", None)
            if due is not None and sandbox.clock.reached(due):
                _settle(sandbox, ec2, gateway)


def _settle(sandbox: Sandbox, ec2: EC2Backend, gateway: Any) -> None:
    due, before = gateway.due, gateway.state
    _pass(sandbox, ec2, gateway)
    if gateway.state != before:
        sandbox.timeline.note("nat-gateway", gateway.id, gateway.state, sandbox.clock.unix(due))


def _pass(sandbox: Sandbox, ec2: EC2Backend, gateway: Any) -> None:
    if gateway.state == "pending":
        attached = any(found.vpc and found.vpc.id == gateway.vpc_id for found in ec2.internet_gateways.values())
        taken = getattr(gateway, "taken", None)
        if attached and not taken:
            gateway.state, gateway.due = "available", None
            return
        gateway.state = "failed"
        gateway.failure_code = "Resource.AlreadyAssociated" if taken else "Gateway.NotAttached"
        gateway.failure_message = (
            f"Elastic IP address [{taken}] is already associated"
            if taken
            else f"Network {gateway.vpc_id} has no Internet gateway attached"
        )
        _let_go(ec2, gateway)
        gateway.due = sandbox.clock.due(GHOST)
    elif gateway.state == "deleting":
        gateway.state = "deleted"
        _let_go(ec2, gateway)
        gateway.due = sandbox.clock.due(GHOST)
    else:
        ec2.nat_gateways.pop(gateway.id, None)


def _let_go(ec2: EC2Backend, gateway: Any) -> None:
    for address in ec2.addresses:
        if address.eni is gateway._eni:
            ec2.disassociate_address(address=address.public_ip)
    ec2.enis.pop(gateway._eni.id, None)
