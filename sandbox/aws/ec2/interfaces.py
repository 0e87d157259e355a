"""Network interfaces: what is attached, or belongs to a service, is not deleted."""

from __future__ import annotations

import ipaddress
from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import after, before
from ..sandbox import Sandbox


@before("ec2", "DeleteNetworkInterface")
def check_interface(sandbox: Sandbox, call: Call) -> None:
    found = backends.ec2(call.region).enis.get(call.params["NetworkInterfaceId"])
    if found is None:
        return
    if found.requester_managed:
        message = f"You do not have permission to access the specified resource: {found.id} is managed by {found.requester_id}."
        raise AwsError("OperationNotPermitted", message)
    if found.status == "in-use" or found.instance is not None:
        raise AwsError("InvalidParameterValue", f"Network interface '{found.id}' is currently in use.")


@after("ec2", "TerminateInstances")
def forget_primary(sandbox: Sandbox, call: Call, response: Any) -> None:
    """An instance's first interface goes with it; moto keeps it, in use."""
    ec2 = backends.ec2(call.region)
    for found in list(ec2.enis.values()):
        if found.instance is not None and found.instance.id in call.params["InstanceIds"] and found.device_index == 0:
            ec2.enis.pop(found.id, None)


def of_service(region: str, subnet: str, groups: list[str], description: str, requester: str) -> NetworkInterface:
    """One that a service makes for itself in somebody's subnet."""
    ec2 = backends.ec2(region)
    found: Any = ec2.create_network_interface(
        subnet, free_address(ec2, ec2.get_subnet(subnet)), group_ids=groups, description=description
    )
    if not groups:
        found._group_set = []
    found.requester_managed = True
    found.requester_id = requester
    found.status = "in-use"
    return found


def free_address(ec2: Any, subnet: Any) -> str:
    """AWS keeps the first four addresses of a subnet and the last; moto hands out any, even twice."""
    taken = {interface.private_ip_address for interface in ec2.enis.values()}
    hosts = list(ipaddress.ip_network(subnet.cidr_block))[4:-1]
    return next(str(host) for host in hosts if str(host) not in taken)
