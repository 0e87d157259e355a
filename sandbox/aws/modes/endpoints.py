"""VPC endpoints and network interfaces that take their time to go."""

from __future__ import annotations

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox
from .kinds import InterfaceInUse, LingeringEndpoint


def lingers(sandbox: Sandbox) -> float | None:
    """For how long an endpoint that is deleted now stays `deleting`; None: it does not."""
    mode = sandbox.modes.one(LingeringEndpoint)
    return mode.seconds if mode else None


@before("ec2", "DeleteNetworkInterface")
def check_detached(sandbox: Sandbox, call: Call) -> None:
    mode = sandbox.modes.one(InterfaceInUse)
    found = backends.ec2(call.region).enis.get(call.params["NetworkInterfaceId"])
    if mode is None or found is None:
        return
    first = mode.tried.setdefault(found.id, sandbox.clock.time())
    if sandbox.clock.time() < first + mode.seconds:
        raise AwsError("InvalidParameterValue", f"Network interface '{found.id}' is currently in use.")
