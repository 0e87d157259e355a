"""Routes and associations that AWS refuses."""

from __future__ import annotations

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox


@before("ec2", "CreateRoute", "ReplaceRoute")
def check_route(sandbox: Sandbox, call: Call) -> None:
    ec2 = backends.ec2(call.region)
    table = ec2.route_tables.get(call.params["RouteTableId"])
    if nat := call.params.get("NatGatewayId"):
        found = ec2.nat_gateways.get(nat)
        if found is None or found.state in ("deleting", "deleted", "failed"):
            raise AwsError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{nat}' does not exist")
    wanted = call.params.get("GatewayId", "")
    if wanted.startswith("igw-") and wanted not in ec2.internet_gateways:
        raise AwsError("InvalidGatewayID.NotFound", f"The gateway ID '{wanted}' does not exist")
    gateway = ec2.internet_gateways.get(wanted)
    if gateway and table and (gateway.vpc is None or gateway.vpc.id != table.vpc_id):
        message = f"route table {table.id} and network gateway {gateway.id} belong to different networks"
        raise AwsError("InvalidParameterValue", message)


@before("ec2", "AssociateRouteTable")
def check_association(sandbox: Sandbox, call: Call) -> None:
    """moto answers with the association that is there already, as if it were the one asked for."""
    subnet, wanted = call.params.get("SubnetId"), call.params["RouteTableId"]
    for table in backends.ec2(call.region).route_tables.values():
        if subnet and subnet in table._associations.values() and table.id != wanted:
            message = f"the specified association for route table {wanted} conflicts with an existing association"
            raise AwsError("Resource.AlreadyAssociated", message)
