"""Deletes in the wrong order are refused, as AWS does."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import after, before
from ..sandbox import Sandbox
from . import holders


@before("ec2", "DeleteSubnet")
def check_subnet(sandbox: Sandbox, call: Call) -> None:
    subnet = call.params["SubnetId"]
    ec2 = backends.ec2(call.region)
    holders.refuse(f"The subnet '{subnet}' has dependencies and cannot be deleted.", holders.in_subnet(ec2, subnet))


@after("ec2", "DeleteSubnet")
def forget_associations(sandbox: Sandbox, call: Call, response: Any) -> None:
    """A deleted subnet leaves its route table and network ACL; moto keeps it there for ever."""
    subnet, ec2 = call.params["SubnetId"], backends.ec2(call.region)
    for table in ec2.route_tables.values():
        table._associations = {key: target for key, target in table._associations.items() if target != subnet}
    for acl in ec2.network_acls.values():
        acl._associations = {key: found for key, found in acl._associations.items() if found.subnet_id != subnet}


@after("ec2", "DeleteVpc")
def forget_network_acls(sandbox: Sandbox, call: Call, response: Any) -> None:
    acls = backends.ec2(call.region).network_acls
    for acl in [acl for acl in acls.values() if acl.vpc_id == call.params["VpcId"]]:
        del acls[acl.id]


@before("ec2", "DeleteVpc")
def check_vpc(sandbox: Sandbox, call: Call) -> None:
    vpc, ec2 = call.params["VpcId"], backends.ec2(call.region)
    if vpc not in ec2.vpcs:
        return
    names = [f"subnet {subnet.id}" for zone in ec2.subnets.values() for subnet in zone.values() if subnet.vpc_id == vpc]
    names += [f"internet gateway {found.id}" for found in ec2.internet_gateways.values() if found.vpc and found.vpc.id == vpc]
    names += [f"security group {group.id}" for group in ec2.groups[vpc].values() if group.name != "default"]
    names += [
        f"route table {table.id}"
        for table in ec2.route_tables.values()
        if table.vpc_id == vpc and not table.main_association_id
    ]
    names += [
        f"VPC endpoint {endpoint.id}"
        for endpoint in ec2.vpc_end_points.values()
        if endpoint.vpc_id == vpc
    ]
    holders.refuse(f"The vpc '{vpc}' has dependencies and cannot be deleted.", names)


@before("ec2", "DetachInternetGateway")
def check_detach(sandbox: Sandbox, call: Call) -> None:
    vpc, ec2 = call.params["VpcId"], backends.ec2(call.region)
    mapped = [
        f"{found.public_ip} of {holders.interface(found)}"
        for found in ec2.enis.values()
        if found.subnet.vpc_id == vpc and found.public_ip
    ]
    message = f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
    holders.refuse(message, mapped)


@before("ec2", "DeleteSecurityGroup")
def check_security_group(sandbox: Sandbox, call: Call) -> None:
    ec2 = backends.ec2(call.region)
    group = ec2.get_security_group_from_id(call.params.get("GroupId", ""))
    if group is None:
        return
    if group.name == "default":
        raise AwsError("CannotDelete", f"the specified group: \"{group.id}\" name: \"default\" cannot be deleted by a user")
    holders.refuse(f"resource {group.id} has a dependent object", holders.with_group(ec2, group))


@before("ec2", "DeleteRouteTable")
def check_route_table(sandbox: Sandbox, call: Call) -> None:
    table = backends.ec2(call.region).route_tables.get(call.params["RouteTableId"])
    if table is None:
        return
    names = ["being the VPC's main route table"] if table.main_association_id else []
    names += [f"association {association} of {target}" for association, target in table._associations.items()]
    holders.refuse(f"The routeTable '{table.id}' has dependencies and cannot be deleted.", names)


@after("ec2", "DeleteRouteTable")
def leave_endpoints(sandbox: Sandbox, call: Call, response: Any) -> None:
    for endpoint in backends.ec2(call.region).vpc_end_points.values():
        if call.params["RouteTableId"] in (endpoint.route_table_ids or []):
            endpoint.route_table_ids.remove(call.params["RouteTableId"])


@before("ec2", "DeleteInternetGateway")
def check_gateway(sandbox: Sandbox, call: Call) -> None:
    found = backends.ec2(call.region).internet_gateways.get(call.params["InternetGatewayId"])
    if found is not None and found.vpc:
        message = f"The internetGateway '{found.id}' has dependencies and cannot be deleted."
        holders.refuse(message, [f"its attachment to {found.vpc.id}"])
