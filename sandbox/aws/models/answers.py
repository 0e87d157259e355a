"""The sandbox's own answers: one that the service's model does not know is a bug of the sandbox, and clients would be
tried against an AWS that is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

from werkzeug.wrappers import Response

from ..call import Call
from . import plans
from .plans import FLOATS, INTEGERS, Plan

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
# What surrounds the members in an answer by EC2's protocol.
REQUEST_ID = "requestId"
# What AWS says although botocore's enums have it otherwise, by the shapes' names.
BESIDE = {
    ("SupportedAdditionalProcessorFeature", "metal-compatibility"),
    ("AttachmentStatus", "available"),
    ("NetworkInterfaceType", "nat_gateway"),
    ("ClusterVersionStatus", "STANDARD_SUPPORT"),
}


def problems(call: Call, response: Response) -> list[str]:
    """Why it is not what the model says, one line each; empty for errors and for bytes of objects."""
    if not call.operation or response.status_code >= 300:
        return []
    return list(dict.fromkeys(_found(call, response)))


def _found(call: Call, response: Response) -> Iterable[str]:
    model = call.model.operation_model(call.operation)
    shape = model.output_shape
    if shape is None or model.has_streaming_output:
        return []
    plan = plans.of(call.service, shape)
    body = response.get_data()
    if call.is_json:
        return _json(plan, json.loads(body) if body else {}, "")
    if payload := shape.serialization.get("payload"):
        plan = plans.of(call.service, shape.members[payload])
        if plan.kind != "structure" or not body:
            return []
    elif not body:
        return [f"{name} is missing" for name in plan.required_in_body]
    root = ElementTree.fromstring(body)
    if call.service == "ec2":
        root[:] = [child for child in root if _tag(child) != REQUEST_ID]
    elif call.protocol == "query":
        wrapper = shape.serialization.get("resultWrapper")
        results = [child for child in root if _tag(child) == wrapper]
        unknown = [_tag(child) for child in root if _tag(child) not in (wrapper, "ResponseMetadata")]
        if unknown:
            return [f"{name} beside {wrapper}" for name in unknown]
        if not results:
            return [f"{wrapper} is missing"] if plan.members else []
        (root,) = results
    return _xml(plan, root, "", call.service == "ec2")


def _json(plan: Plan, value: Any, path: str) -> Iterator[str]:
    if value is None or plan.document:  # EKS writes null where there is nothing
        return
    match plan.kind:
        case "structure":
            if not isinstance(value, dict):
                yield f"{path or 'the answer'} is no object"
                return
            members = plan.json_members
            for key, entry in value.items():
                known = members.get(key)
                if known is None:
                    yield f"{path}.{key} is not in the model"
                else:
                    yield from _json(known[1], entry, f"{path}.{key}")
            if plan.required_in_body:
                there = {members[key][0] for key, entry in value.items() if key in members and entry is not None}
                yield from (f"{path}.{name} is missing" for name in plan.required_in_body if name not in there)
        case "list":
            if not isinstance(value, list):
                yield f"{path} is no list"
                return
            for entry in value:
                yield from _json(plan.element, entry, f"{path}[]")
        case "map":
            if not isinstance(value, dict):
                yield f"{path} is no object"
                return
            for key, entry in value.items():
                yield from _text(plan.key[1], key, f"{path}{{}}", False)
                yield from _json(plan.value[1], entry, f"{path}.{key}")
        case "boolean":
            if not isinstance(value, bool):
                yield f"{path} is no boolean: {value!r}"
        case "timestamp":
            right = isinstance(value, str) if plan.timestamp_format == "iso8601" else _is_number(value)
            if not right:
                yield f"{path} is no time of this protocol: {value!r}"
        case kind if kind in INTEGERS | FLOATS:
            if not _is_number(value) or (kind in INTEGERS and int(value) != value):
                yield f"{path} is no {kind}: {value!r}"
        case _:
            if not isinstance(value, str):
                yield f"{path} is no string: {value!r}"
            else:
                yield from _text(plan, value, path, False)


def _xml(plan: Plan, node: ElementTree.Element, path: str, ec2: bool) -> Iterator[str]:
    match plan.kind:
        case "structure":
            seen, members = set(), plan.xml_members
            for child in node:
                tag = _tag(child)
                known = members.get(tag)
                if known is None:
                    yield f"{path}.{tag} is not in the model"
                    continue
                seen.add(known[0])
                inner = known[1]
                inner = inner.element if inner.kind == "list" and inner.flattened else inner
                yield from _xml(inner, child, f"{path}.{tag}", ec2)
            yield from (f"{path}.{name} is missing" for name in plan.required_in_body if name not in seen)
        case "list":
            for child in node:
                if _tag(child) != plan.element_name:
                    yield f"{path}.{_tag(child)} is no element of the list, which are called {plan.element_name}"
                else:
                    yield from _xml(plan.element, child, f"{path}[]", ec2)
        case "map":
            (key, keys), (value, values) = plan.key, plan.value
            for entry in [node] if plan.flattened else node:
                for child in entry:
                    if _tag(child) not in (key, value):
                        yield f"{path}.{_tag(child)} is neither {key} nor {value} of a map"
                    else:
                        yield from _xml(keys if _tag(child) == key else values, child, f"{path}.{_tag(child)}", ec2)
        case _:
            yield from _text(plan, node.text or "", path, ec2)


def _text(plan: Plan, text: str, path: str, ec2: bool) -> Iterator[str]:
    """EC2 writes some of its enums in lower case, where botocore has them otherwise (states of VPC endpoints)."""
    kind = plan.kind
    if kind == "string":
        if plan.enum and text not in plan.enum and not (ec2 and text.lower() in plan.lowered) and (plan.name, text) not in BESIDE:
            yield f"{path} is none of the model's values: {text!r}"
    elif kind == "boolean":
        if text not in ("true", "false"):
            yield f"{path} is no boolean: {text!r}"
    elif kind == "timestamp":
        if not ISO.fullmatch(text):
            yield f"{path} is no time: {text!r}"
    elif kind in INTEGERS or kind in FLOATS:
        try:
            int(text) if kind in INTEGERS else float(text)
        except ValueError:
            yield f"{path} is no {kind}: {text!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]
