"""EC2's own words of what is not there; moto has others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.ec2 import exceptions

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox

NOT_FOUND = {
    exceptions.InvalidVPCIdError: ("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
    exceptions.InvalidAllocationIdError: ("InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist"),
    exceptions.InvalidAssociationIdError: ("InvalidAssociationID.NotFound", "The association ID '{}' does not exist"),
    exceptions.InvalidInternetGatewayIdError: (
        "InvalidInternetGatewayID.NotFound",
        "The internetGateway ID '{}' does not exist",
    ),
}


def _use(kind: Any, code: str, message: str) -> None:
    def init(self: Any, wanted: Any) -> None:
        first = wanted if isinstance(wanted, str) or not isinstance(wanted, Iterable) else sorted(wanted)[0]
        exceptions.EC2ClientError.__init__(self, code, message.format(first))

    kind.__init__ = init


for _kind, (_code, _message) in NOT_FOUND.items():
    _use(_kind, _code, _message)


def _not_attached(self: Any, gateway: str, vpc: str) -> None:
    exceptions.EC2ClientError.__init__(self, "Gateway.NotAttached", f"resource {gateway} is not attached to network {vpc}")


def _route_there(self: Any, cidr: str) -> None:
    exceptions.EC2ClientError.__init__(self, "RouteAlreadyExists", f"The route identified by {cidr} already exists.")


exceptions.GatewayNotAttachedError.__init__ = _not_attached  # type: ignore[method-assign]
exceptions.RouteAlreadyExistsError.__init__ = _route_there  # type: ignore[method-assign]


@before("ec2", "DescribeLaunchTemplates")
def check_templates(sandbox: Sandbox, call: Call) -> None:
    """moto lists those that there are."""
    templates = backends.ec2(call.region).launch_templates
    for wanted in call.params.get("LaunchTemplateIds", []):
        if wanted not in templates:
            message = f"The specified launch template, with template ID {wanted}, does not exist."
            raise AwsError("InvalidLaunchTemplateId.NotFound", message)


@before("ec2", "DetachNetworkInterface")
def check_attachment(sandbox: Sandbox, call: Call) -> None:
    if call.params["AttachmentId"].startswith("ela-attach-"):
        raise AwsError("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
