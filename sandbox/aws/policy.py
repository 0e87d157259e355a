"""IAM policy documents: which statements speak of this action, resource, principal and context?

Small but strict: an operator or element that is not known here makes an Allow not match and a Deny match.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    action: str  # s3:GetObject
    resource: str | None = None  # None: whatever the statement says
    principals: tuple[tuple[str, str], ...] = ()  # ("AWS", arn), ("Federated", arn); empty: identity policy
    context: dict[str, str] = field(default_factory=dict)


def allows(documents: Iterable[str | dict[str, Any]], request: Request) -> bool:
    """An Allow somewhere and no Deny anywhere."""
    allowed = False
    for document in documents:
        for statement in _statements(document):
            if _matches(statement, request):
                if statement.get("Effect") == "Deny":
                    return False
                allowed = True
    return allowed


def _statements(document: str | dict[str, Any]) -> list[dict[str, Any]]:
    document = json.loads(document) if isinstance(document, str) else document
    return _list(document.get("Statement", []))


def _matches(statement: dict[str, Any], request: Request) -> bool:
    action = request.action.lower()
    if "Action" in statement:
        if not any(like(pattern.lower(), action) for pattern in _list(statement["Action"])):
            return False
    elif any(like(pattern.lower(), action) for pattern in _list(statement.get("NotAction", []))):
        return False
    if request.resource is not None:
        if "Resource" in statement:
            if not any(like(pattern, request.resource) for pattern in _list(statement["Resource"])):
                return False
        elif any(like(pattern, request.resource) for pattern in _list(statement.get("NotResource", []))):
            return False
    if request.principals and not _names(statement.get("Principal"), request.principals):
        return False
    deny = statement.get("Effect") == "Deny"
    for operator, wanted in statement.get("Condition", {}).items():
        for key, values in wanted.items():
            if not _holds(operator, [str(value) for value in _list(values)], _value(request.context, key), deny):
                return False
    return True


def _names(principal: Any, wanted: tuple[tuple[str, str], ...]) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    return any(name in ("*", arn) for kind, arn in wanted for name in _list(principal.get(kind, [])))


def _value(context: dict[str, str], key: str) -> str | None:
    return next((value for name, value in context.items() if name.lower() == key.lower()), None)


def _holds(operator: str, wanted: list[str], actual: str | None, unknown: bool) -> bool:
    if operator.endswith("IfExists"):
        if actual is None:
            return True
        operator = operator.removesuffix("IfExists")
    if operator == "Null":
        return (actual is None) == (wanted[0].lower() == "true")
    negated = "Not" in operator
    if actual is None:
        return negated
    match operator.replace("Not", ""):
        case "StringEquals" | "ArnEquals":
            found = actual in wanted
        case "StringEqualsIgnoreCase":
            found = actual.lower() in [value.lower() for value in wanted]
        case "StringLike" | "ArnLike":
            found = any(like(pattern, actual) for pattern in wanted)
        case "Bool":
            found = actual.lower() in [value.lower() for value in wanted]
        case _:
            return unknown
    return found != negated


def like(pattern: str, value: str) -> bool:
    """AWS's wildcards: * for any text, ? for one character."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
