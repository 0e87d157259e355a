"""What a shape of a service's model allows, prepared once so that a check costs microseconds."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import regex

# botocore's names of scalar types, by what they are on the wire.
INTEGERS = {"integer", "long", "short", "byte", "bigInteger"}
FLOATS = {"float", "double", "bigDecimal"}
NOT_IN_BODY = {"header", "headers", "uri", "querystring", "statusCode"}


class Plan:
    """One shape. Members are prepared when they are first wanted: shapes may contain themselves."""

    def __init__(self, service: str, shape: Any) -> None:
        self._service = service
        self._shape = shape
        self.name: str = shape.name
        self.kind: str = shape.type_name
        self.flattened = bool(shape.serialization.get("flattened"))
        self.document = bool(getattr(shape, "is_document_type", False))
        self.timestamp_format: str | None = shape.serialization.get("timestampFormat")
        self.required: tuple[str, ...] = tuple(getattr(shape, "required_members", ()))
        self.enum = frozenset(shape.metadata.get("enum", ()))
        self.lowered = frozenset(value.lower() for value in self.enum)
        self.min = shape.metadata.get("min")
        self.max = shape.metadata.get("max")
        self.pattern_text: str | None = shape.metadata.get("pattern")

    @cached_property
    def pattern(self) -> Any | None:
        """None where there is none, or where it is written in a dialect that is not Python's."""
        try:
            return regex.compile(self.pattern_text) if self.pattern_text else None
        except regex.error:
            return None

    @cached_property
    def members(self) -> dict[str, tuple[Any, Plan]]:
        """By the models' names: the shape as this member refers to it, and its plan."""
        return {name: (shape, of(self._service, shape)) for name, shape in self._shape.members.items()}

    @cached_property
    def json_members(self) -> dict[str, tuple[str, Plan]]:
        """By the names in JSON, of what stands in the body: the models' names and the plans."""
        found = {}
        for name, (shape, plan) in self.members.items():
            if shape.serialization.get("location") not in NOT_IN_BODY:
                found[shape.serialization.get("name", name)] = name, plan
        return found

    @cached_property
    def xml_members(self) -> dict[str, tuple[str, Plan]]:
        """By the names of elements."""
        found = {}
        for name, (shape, plan) in self.members.items():
            if shape.serialization.get("location") in NOT_IN_BODY or shape.serialization.get("xmlAttribute"):
                continue
            key = shape.serialization.get("name", name)
            if plan.kind == "list" and plan.flattened:
                key = shape.member.serialization.get("name") or key
            found[key] = name, plan
        return found

    @cached_property
    def required_in_body(self) -> tuple[str, ...]:
        return tuple(
            name
            for name in self.required
            if name in self.members and self.members[name][0].serialization.get("location") not in NOT_IN_BODY
        )

    @cached_property
    def element(self) -> Plan:
        return of(self._service, self._shape.member)

    @cached_property
    def element_name(self) -> str:
        return str(self._shape.member.serialization.get("name", "member"))

    @cached_property
    def key(self) -> tuple[str, Plan]:
        return self._shape.key.serialization.get("name") or "key", of(self._service, self._shape.key)

    @cached_property
    def value(self) -> tuple[str, Plan]:
        return self._shape.value.serialization.get("name") or "value", of(self._service, self._shape.value)


_plans: dict[tuple[str, str, bool, str | None], Plan] = {}


def of(service: str, shape: Any) -> Plan:
    key = service, shape.name, bool(shape.serialization.get("flattened")), shape.serialization.get("timestampFormat")
    plan = _plans.get(key)
    if plan is None:
        plan = _plans[key] = Plan(service, shape)
    return plan
