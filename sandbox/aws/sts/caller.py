"""GetCallerIdentity, presigned or not, and AssumeRole with the role's trust looked at."""

from __future__ import annotations

from typing import Any

from .. import backends, policy, principals
from ..authorization import denied
from ..call import Call
from ..eks import roles
from ..errors import AwsError
from ..hooks import before, handles
from ..sandbox import Sandbox


@handles("sts", "GetCallerIdentity")
def get_caller_identity(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    who = call.principal
    assert who is not None, "the call was authenticated"
    return {"UserId": who.user_id, "Account": who.account, "Arn": who.arn}


@handles("sts", "GetSessionToken")
def get_session_token(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    assert call.principal is not None, "the call was authenticated"
    key, session = principals.new_user_session(call.principal, int(call.params.get("DurationSeconds", 43200)))
    return {
        "Credentials": {
            "AccessKeyId": key,
            "SecretAccessKey": session.secret,
            "SessionToken": session.session_token,
            "Expiration": session.expires,
        }
    }


@before("sts", "AssumeRole")
def check_trust(sandbox: Sandbox, call: Call) -> None:
    if not call.params["RoleArn"].startswith("arn:"):
        raise AwsError("ValidationError", f"{call.params['RoleArn']} is invalid", 400)
    role = roles.find(call.params["RoleArn"])
    who = call.principal
    root = f"arn:aws:iam::{backends.ACCOUNT}:root"
    names = (("AWS", who.arn if who else ""), ("AWS", root), ("AWS", backends.ACCOUNT))
    request = policy.Request("sts:AssumeRole", principals=names)
    if role is None or not policy.allows([role.assume_role_policy_document], request):
        raise denied(call, "sts:AssumeRole", call.params["RoleArn"])
