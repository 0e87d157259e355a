"""Members of EC2's answers that moto's objects lack: zones, addresses, subnets, route tables, endpoints."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.availability_zones_and_regions import Zone
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.subnets import Subnet
from moto.ec2.models.vpcs import VPCEndPoint

from ..backends import ACCOUNT
from ..call import Call
from ..hooks import after
from ..sandbox import Sandbox

Zone.opt_in_status = "opt-in-not-required"  # type: ignore[attr-defined]
Zone.group_name = property(lambda zone: f"{zone.region_name}-zg-1")  # type: ignore[attr-defined]
Zone.group_long_name = property(lambda zone: f"{zone.region_name} {zone.group_name[-1]}")  # type: ignore[attr-defined]
Zone.network_border_group = property(lambda zone: zone.region_name)  # type: ignore[attr-defined]

ElasticAddress.public_ipv4_pool = "amazon"  # type: ignore[attr-defined]
ElasticAddress.network_border_group = property(lambda address: address.ec2_backend.region_name)  # type: ignore[attr-defined]
ElasticAddress.instance_id = property(lambda address: address.instance.id if address.instance else None)  # type: ignore[assignment,method-assign]
ElasticAddress.network_interface_id = property(lambda address: address.eni.id if address.eni else None)  # type: ignore[assignment,method-assign]

Subnet.map_customer_owned_ip_on_launch = False  # type: ignore[attr-defined]
Subnet.enable_dns64 = False  # type: ignore[attr-defined]
Subnet.block_public_access_states = {"InternetGatewayBlockMode": "off"}  # type: ignore[attr-defined]


SecurityGroupRule.group_owner_id = ACCOUNT  # type: ignore[attr-defined]

RouteTable.propagating_vgws = []  # type: ignore[attr-defined]

VPCEndPoint.requester_managed = False  # type: ignore[attr-defined]
VPCEndPoint.ip_address_type = "ipv4"  # type: ignore[attr-defined]
VPCEndPoint.service_region = property(lambda endpoint: endpoint.ec2_backend.region_name)  # type: ignore[attr-defined]
VPCEndPoint.dns_options = property(lambda endpoint: {"DnsRecordIpType": _record_type(endpoint)})  # type: ignore[attr-defined]


def _record_type(endpoint: Any) -> str:
    return "service-defined" if endpoint.vpc_endpoint_type == "Gateway" else "ipv4"


NatGateway.connectivity_type = property(  # type: ignore[assignment]
    lambda gateway: gateway.__dict__.get("connectivity_type") or "public",
    lambda gateway, kind: gateway.__dict__.__setitem__("connectivity_type", kind or "public"),
)

_moto_attachment = NetworkInterface.attachment.fget  # type: ignore[attr-defined]


def _attachment(interface: Any) -> Any:
    """That of a service's own is by the service (ela-attach-...), and nobody else may touch it."""
    if not interface.requester_managed:
        return _moto_attachment(interface)
    return {
        "AttachmentId": interface.id.replace("eni-", "ela-attach-"),
        "DeleteOnTermination": False,
        "DeviceIndex": 1,
        "InstanceOwnerId": interface.requester_id or "amazon-aws",
        "NetworkCardIndex": 0,
        "Status": "attached",
    }


NetworkInterface.attachment = property(_attachment)  # type: ignore[assignment,method-assign]


@after("ec2", "AllocateAddress")
def say_pool(sandbox: Sandbox, call: Call, response: Any) -> None:
    told = f"<publicIpv4Pool>amazon</publicIpv4Pool><networkBorderGroup>{call.region}</networkBorderGroup>"
    text = response.get_data(as_text=True)
    if "<publicIpv4Pool>" not in text:
        response.set_data(text.replace("</AllocateAddressResponse>", f"{told}</AllocateAddressResponse>"))
