"""Elastic IPs: one in use is not released, and not given away twice."""

from __future__ import annotations

import itertools
from typing import Any

from moto.ec2.models import elastic_ip_addresses

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox


# moto takes them from 127.0.0.0/8, which looks like a mistake in a report; these are for documentation (RFC 5737).
_numbers = itertools.cycle(range(1, 255))
elastic_ip_addresses.random_ip = lambda: f"198.51.100.{next(_numbers)}"


@before("ec2", "ReleaseAddress")
def check_release(sandbox: Sandbox, call: Call) -> None:
    found = find(call)
    if found is not None and found.association_id:
        # Not InvalidIPAddress.InUse: who holds it is another service, and EC2 speaks of permission.
        raise AwsError("AuthFailure", "You do not have permission to access the specified resource.", 400)


@before("ec2", "AssociateAddress")
def check_associate(sandbox: Sandbox, call: Call) -> None:
    found = find(call)
    if found is not None and found.association_id and not call.params.get("AllowReassociation"):
        message = f"resource {found.allocation_id} is already associated with associate-id {found.association_id}"
        raise AwsError("Resource.AlreadyAssociated", message)


def find(call: Call) -> Any | None:
    wanted, address = call.params.get("AllocationId"), call.params.get("PublicIp")
    for found in backends.ec2(call.region).addresses:
        if (wanted and found.allocation_id == wanted) or (address and found.public_ip == address):
            return found
    return None
