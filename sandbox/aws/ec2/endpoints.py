"""VPC endpoints: an interface endpoint is pending at first, each is `deleting` for a while and gone then, with its routes;
moto keeps them for ever, or stumbles.
"""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..hooks import after, handles
from ..modes import endpoints
from ..sandbox import Sandbox

# AWS seconds
PENDING = 60
DELETING = 20


@after("ec2", "CreateVpcEndpoint")
def fill_in_type(sandbox: Sandbox, call: Call, response: Any) -> None:
    """A gateway endpoint is there at once; what moto leaves empty is shown all the same."""
    text = response.get_data(as_text=True)
    for endpoint in backends.ec2(call.region).vpc_end_points.values():
        endpoint.vpc_endpoint_type = endpoint.vpc_endpoint_type or "Gateway"
        for name in ("subnet_ids", "dns_entries"):
            setattr(endpoint, name, getattr(endpoint, name) or [])
        endpoint.private_dns_enabled = bool(endpoint.private_dns_enabled)
        new = f"<vpcEndpointId>{endpoint.id}</vpcEndpointId>" in text
        if new and endpoint.vpc_endpoint_type == "Interface":
            endpoint.state, endpoint.due = "pending", sandbox.clock.due(PENDING)
            response.set_data(text.replace("<state>available</state>", "<state>pending</state>"))


@handles("ec2", "DeleteVpcEndpoints")
def delete_vpc_endpoints(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    ec2 = backends.ec2(call.region)
    unsuccessful = []
    for wanted in call.params["VpcEndpointIds"]:
        endpoint = ec2.vpc_end_points.get(wanted)
        if endpoint is None:
            error = {"Code": "InvalidVpcEndpointId.NotFound", "Message": f"The Vpc Endpoint Id '{wanted}' does not exist"}
            unsuccessful.append({"ResourceId": wanted, "Error": error})
        elif endpoint.state != "deleting":
            lingering = endpoints.lingers(sandbox)
            if lingering is None:
                _let_go(ec2, endpoint)
            endpoint.state = "deleting"
            endpoint.due = sandbox.clock.due(DELETING if lingering is None else lingering)  # type: ignore[attr-defined]
    return {"Unsuccessful": unsuccessful}


def _let_go(ec2: Any, endpoint: Any) -> None:
    for table in ec2.route_tables.values():
        table._routes = {
            key: route
            for key, route in table._routes.items()
            if not (route.vpc_endpoint_id == endpoint.id or (route.gateway and route.gateway.id == endpoint.id))
        }
    endpoint.route_table_ids = []
    for interface in endpoint.network_interface_ids or []:
        ec2.enis.pop(interface, None)


def settle(sandbox: Sandbox) -> None:
    for ec2 in backends.all_ec2():
        for endpoint in list(ec2.vpc_end_points.values()):
            if endpoint.state not in ("pending", "deleting") or not sandbox.clock.reached(getattr(endpoint, "due", 0)):
                continue
            if endpoint.state == "pending":
                endpoint.state = "available"
                continue
            _let_go(ec2, endpoint)
            ec2.vpc_end_points.pop(endpoint.id, None)
            sandbox.timeline.note("vpc-endpoint", endpoint.id, "gone", sandbox.clock.unix(endpoint.due))
