"""A policy that is attached is not deleted."""

from __future__ import annotations

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox


@before("iam", "DeletePolicy")
def check_attached(sandbox: Sandbox, call: Call) -> None:
    arn, iam = call.params["PolicyArn"], backends.iam()
    owners = [*iam.get_roles(), *iam.users.values(), *iam.groups.values()]
    names = [owner.name for owner in owners if arn in owner.managed_policies]
    if names:
        message = f"Cannot delete a policy attached to entities. (attached to {', '.join(names)})"
        raise AwsError("DeleteConflict", message, 409)
