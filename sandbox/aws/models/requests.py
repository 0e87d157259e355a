"""Requests: what the model does not allow is refused, in the words of the service.

Stricter than AWS in one thing: members that nobody knows are refused everywhere, where most services pass them by; a
client that sends one is wrong about the API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from ..call import Call
from ..errors import AwsError
from . import plans
from .plans import FLOATS, INTEGERS, Plan

MALFORMED_XML = "The XML you provided was not well-formed or did not validate against our published schema"
# Parameters of the protocol and of the signature, in no operation's model.
PROTOCOL = {"Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires"}
PROTOCOL |= {"X-Amz-SignedHeaders", "X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-Content-Sha256"}


@dataclass(frozen=True)
class Problem:
    kind: str  # missing, unknown, enum, pattern, short, long, type
    path: str
    plan: Plan | None = None
    value: Any = None


def check(call: Call) -> None:
    """Raises the error of the service for what the model does not allow."""
    if not call.operation:
        return
    shape = call.model.operation_model(call.operation).input_shape
    if call.service == "s3":
        _check_s3(call, shape)
        return
    if call.unreadable:
        raise _refusal(call, Problem("type", call.unreadable))
    plan = plans.of(call.service, shape) if shape is not None else None
    for problem in [*_unknown(call, plan), *(_problems(plan, call.params, "", call.service == "ec2") if plan else ())]:
        raise _refusal(call, problem)


def _problems(plan: Plan, value: Any, path: str, ec2: bool) -> Iterator[Problem]:
    """Of what moto's parser has read."""
    kind = plan.kind
    if kind == "string":
        if isinstance(value, str):
            yield from _string(plan, value, path, ec2)
        else:
            yield Problem("type", path, plan, value)
    elif kind == "structure":
        if plan.document:
            return
        if not isinstance(value, dict):
            yield Problem("type", path, plan, value)
            return
        for name in plan.required:
            if value.get(name) is None:
                shape, inner = plan.members[name]
                yield Problem("missing", f"{path}.{_name_in_ec2(shape, name) if ec2 else name}", inner)
        for name, entry in value.items():
            if entry is not None and name in plan.members:
                yield from _problems(plan.members[name][1], entry, f"{path}.{name}", ec2)
    elif kind == "list":
        if not isinstance(value, list):
            yield Problem("type", path, plan, value)
            return
        yield from _size(plan, len(value), path, value)
        for number, entry in enumerate(value, 1):
            yield from _problems(plan.element, entry, f"{path}.{number}.member", ec2)
    elif kind == "map":
        if not isinstance(value, dict):
            yield Problem("type", path, plan, value)
            return
        yield from _size(plan, len(value), path, value)
        for key, entry in value.items():
            yield from _problems(plan.key[1], key, f"{path}.key", ec2)
            yield from _problems(plan.value[1], entry, f"{path}.{key}.member", ec2)
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield Problem("type", path, plan, value)
    elif kind in INTEGERS or kind in FLOATS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield Problem("type", path, plan, value)
        else:
            yield from _size(plan, value, path, value)


def _string(plan: Plan, value: str, path: str, ec2: bool) -> Iterator[Problem]:
    if plan.enum and value not in plan.enum and not (ec2 and value.lower() in plan.lowered):
        yield Problem("enum", path, plan, value)
    yield from _size(plan, len(value), path, value)
    if plan.pattern_text and plan.pattern is not None and not plan.pattern.fullmatch(value):
        yield Problem("pattern", path, plan, value)


def _size(plan: Plan, size: float, path: str, value: Any) -> Iterator[Problem]:
    if plan.min is not None and size < plan.min:
        yield Problem("short", path, plan, value)
    if plan.max is not None and size > plan.max:
        yield Problem("long", path, plan, value)


def _unknown(call: Call, plan: Plan | None) -> Iterator[Problem]:
    if call.is_json:
        body = call.request.get_data()
        if body and plan is not None:
            try:
                yield from _unknown_json(plan, json.loads(body), "")
            except ValueError:
                yield Problem("type", "the body")
        return
    for name in call.request.values:
        if name not in PROTOCOL and not (plan and _takes(call, plan, name.split("."))):
            yield Problem("unknown", name)


def _unknown_json(plan: Plan, value: Any, path: str) -> Iterator[Problem]:
    if plan.document:
        return
    if plan.kind == "structure" and isinstance(value, dict):
        for key, entry in value.items():
            known = plan.json_members.get(key)
            if known is None:
                yield Problem("unknown", f"{path}.{key}")
            else:
                yield from _unknown_json(known[1], entry, f"{path}.{key}")
    elif plan.kind == "list" and isinstance(value, list):
        for entry in value:
            yield from _unknown_json(plan.element, entry, path)
    elif plan.kind == "map" and isinstance(value, dict):
        for key, entry in value.items():
            yield from _unknown_json(plan.value[1], entry, f"{path}.{key}")


def _takes(call: Call, plan: Plan, words: list[str]) -> bool:
    """Whether a name like Filter.1.Value.2 is one of the model's, in the spelling of the query protocols."""
    if not words:
        return True
    if plan.kind == "structure":
        for name, (shape, inner) in plan.members.items():
            if _query_name(call, shape, name) == words[0]:
                return _takes(call, inner, words[1:])
        return False
    if plan.kind == "list":
        rest = words
        if call.service != "ec2" and not plan.flattened:
            if rest[0] != plan.element_name:
                return False
            rest = rest[1:]
        return bool(rest) and rest[0].isdigit() and _takes(call, plan.element, rest[1:])
    if plan.kind == "map":
        rest = words if plan.flattened else words[1:]
        return len(rest) >= 2 and rest[0].isdigit() and rest[1] in (plan.key[0], plan.value[0])
    return False


def _query_name(call: Call, shape: Any, name: str) -> str:
    serialized = shape.serialization
    if call.service == "ec2":
        found = serialized.get("queryName") or serialized.get("name", name)
        return found if "queryName" in serialized else found[0].upper() + found[1:]
    if shape.type_name == "list" and serialized.get("flattened"):
        return shape.member.serialization.get("name") or serialized.get("name", name)
    return serialized.get("name", name)


def _check_s3(call: Call, shape: Any) -> None:
    """Bodies that are documents; headers and the query are the rules' own, with an error of their own each."""
    payload = shape.serialization.get("payload") if shape is not None else None
    body = call.request.get_data()
    if not payload or not body:
        return
    plan = plans.of("s3", shape.members[payload])
    if plan.kind != "structure":
        return
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise AwsError("MalformedXML", MALFORMED_XML, 400) from None
    if not _fits(plan, root):
        raise AwsError("MalformedXML", MALFORMED_XML, 400)


def _fits(plan: Plan, node: ElementTree.Element) -> bool:
    if plan.kind == "structure":
        seen = set()
        for child in node:
            tag = child.tag.rpartition("}")[2]
            known = plan.xml_members.get(tag)
            if known is None:
                return False
            inner = known[1].element if known[1].kind == "list" and known[1].flattened else known[1]
            if tag != "LocationConstraint" and not _fits(inner, child):  # an unknown region has an error of its own
                return False
            seen.add(known[0])
        return all(name in seen for name in plan.required_in_body)
    if plan.kind == "list":
        return all(child.tag.rpartition("}")[2] == plan.element_name and _fits(plan.element, child) for child in node)
    if plan.kind == "boolean":
        return (node.text or "").lower() in ("true", "false")
    if plan.kind in INTEGERS:
        return (node.text or "").strip().lstrip("-").isdigit()
    return not plan.enum or (node.text or "") in plan.enum


def _refusal(call: Call, problem: Problem) -> AwsError:
    path = problem.path.strip(".")
    if call.service == "ec2":
        return _refusal_of_ec2(path, problem)
    if problem.kind == "unknown":
        words = f"1 validation error detected: '{path}' is not in the model of {call.operation}"
    elif problem.kind == "missing":
        words = f"1 validation error detected: Value null at '{_lowered(path)}' failed to satisfy constraint: Member must not be null"
    elif problem.plan is None:
        words = f"1 validation error detected: {path} cannot be read"
    else:
        where = f"Value '{problem.value}' at '{_lowered(path)}'"
        words = f"1 validation error detected: {where} failed to satisfy constraint: {_constraint(problem)}"
    match call.service:
        case "eks" | "ecr" | "resourcegroupstaggingapi" | "pricing":
            return AwsError("InvalidParameterException", words, 400)
        case "service-quotas":
            return AwsError("IllegalArgumentException", words, 400)
        case _:
            return AwsError("ValidationException" if call.is_json else "ValidationError", words, 400)


def _constraint(problem: Problem) -> str:
    plan = problem.plan
    assert plan is not None, "only called for what breaks a shape"
    what = "Member must have length" if plan.kind in ("string", "list", "map") else "Member must have value"
    match problem.kind:
        case "enum":
            return f"Member must satisfy enum value set: [{', '.join(sorted(plan.enum))}]"
        case "pattern":
            return f"Member must satisfy regular expression pattern: {plan.pattern_text}"
        case "short":
            return f"{what} greater than or equal to {plan.min}"
        case "long":
            return f"{what} less than or equal to {plan.max}"
    return f"Member must be a {plan.kind}"


def _refusal_of_ec2(path: str, problem: Problem) -> AwsError:
    name = path.split(".")[-1] if problem.kind != "unknown" else path
    match problem.kind:
        case "unknown":
            return AwsError("UnknownParameter", f"The parameter {path} is not recognized", 400)
        case "missing":
            return AwsError("MissingParameter", f"The request must contain the parameter {name}", 400)
    return AwsError("InvalidParameterValue", f"Value ({problem.value}) for parameter {_lowered(name)} is invalid.", 400)


def _name_in_ec2(shape: Any, name: str) -> str:
    """As its errors have it: vpcId, and resourceIdSet for a list of ResourceId."""
    name = shape.serialization.get("name", name)
    return name[0].lower() + name[1:] + ("Set" if shape.type_name == "list" and not name.endswith("Set") else "")


def _lowered(path: str) -> str:
    return ".".join(word[:1].lower() + word[1:] for word in path.split("."))
