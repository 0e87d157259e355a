"""Roles: whose name is unknown, which belong to AWS, and what a trust policy may say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import EVERY, before
from ..sandbox import Sandbox

OF_AWS = "/aws-service-role/"
FOR_SERVICES = {"CreateServiceLinkedRole", "DeleteServiceLinkedRole"}
SERVICE = re.compile(r"[a-z0-9.*-]+\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)")
MEMBERS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"}


@before("iam", EVERY)
def check_name(sandbox: Sandbox, call: Call) -> None:
    name = call.params.get("RoleName")
    if name is None or call.operation == "CreateRole" or call.operation in FOR_SERVICES:
        return
    role = next((role for role in backends.iam().get_roles() if role.name == name), None)
    if role is None:
        raise AwsError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
    if role.path.startswith(OF_AWS) and call.mutating:
        message = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        raise AwsError("UnmodifiableEntity", message, 400)


@before("iam", "AttachRolePolicy", "DetachRolePolicy")
def check_arn(sandbox: Sandbox, call: Call) -> None:
    arn = call.params["PolicyArn"]
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+", arn):
        raise AwsError("InvalidInput", f"ARN {arn} is not valid.", 400)
    role = next(role for role in backends.iam().get_roles() if role.name == call.params["RoleName"])
    if call.operation == "DetachRolePolicy" and arn not in role.managed_policies:
        raise AwsError("NoSuchEntity", f"Policy {arn} was not found.", 404)


@before("iam", "CreateRole", "UpdateAssumeRolePolicy")
def check_trust(sandbox: Sandbox, call: Call) -> None:
    text = call.params.get("AssumeRolePolicyDocument") or call.params.get("PolicyDocument") or ""
    try:
        document = json.loads(text)
    except ValueError:
        raise _malformed("This policy contains invalid Json") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if not statements:
        raise _malformed("Syntax errors in policy.")
    for statement in statements if isinstance(statements, list) else [statements]:
        _check_statement(statement)


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise _malformed("Syntax errors in policy.")
    for name in statement.keys() - MEMBERS:
        prohibited = name in ("Resource", "NotResource")
        raise _malformed(f"Has prohibited field {name}" if prohibited else "Syntax errors in policy.")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise _malformed("AssumeRolepolicy must contain a principal")
    actions = statement.get("Action", [])
    for action in [actions] if isinstance(actions, str) else actions:
        if not action.startswith("sts:") and action != "*":
            raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    for kind, name in _principals(statement.get("Principal", {})):
        if not _is_there(kind, name):
            raise _malformed(f'Invalid principal in policy: "{kind.upper()}":"{name}"')


def _principals(principal: Any) -> Iterator[tuple[str, str]]:
    if isinstance(principal, dict):
        for kind, names in principal.items():
            yield from ((kind, name) for name in ([names] if isinstance(names, str) else names))


def _is_there(kind: str, name: str) -> bool:
    """Whether IAM knows it: other accounts' are not looked up here, and providers need not be there yet."""
    if kind == "Service":
        return SERVICE.fullmatch(name) is not None
    if kind != "AWS" or name == "*" or re.fullmatch(r"\d{12}", name):
        return True
    matched = re.fullmatch(r"arn:aws[a-z-]*:(iam|sts)::(\d{12}):(.+)", name)
    if matched is None:
        return False
    if matched[2] != backends.ACCOUNT or matched[3] == "root" or matched[1] == "sts":
        return True
    iam = backends.iam()
    return name in {role.arn for role in iam.get_roles()} | {user.arn for user in iam.users.values()}


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message, 400)
