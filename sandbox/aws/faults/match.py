"""Which calls a fault is meant for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.core.utils import get_service_model

from ..asked import Asked, Refused
from ..call import MODEL_NAMES, Call
from ..policy import like

# IAM's prefixes, too, where they are not botocore's names.
NAMES = MODEL_NAMES | {"tag": "resourcegroupstaggingapi"}


@dataclass(frozen=True)
class Match:
    """Empty and None: any."""

    service: str = ""
    operation: str = ""  # with * and ? as in a policy
    who: str = ""  # the end of the principal's ARN
    params: dict[str, Any] = field(default_factory=dict)
    mutating: bool | None = None

    @classmethod
    def read(cls, asked: Asked) -> Match:
        service = asked.text("service", "")
        service = NAMES.get(service, service)
        operation = asked.text("operation", "")
        if service:
            try:
                known = get_service_model(service).operation_names
            except UnknownServiceError:
                raise Refused(asked.name("service"), f"there is no service {service}") from None
            if operation and not any(like(operation, name) for name in known):
                raise Refused(asked.name("operation"), f"{service} has no {operation}")
        match = cls(service, operation, asked.text("who", ""), asked.mapping("params"), asked.flag("mutating", None))
        asked.close()
        return match

    def fits(self, call: Call) -> bool:
        return (
            bool(call.operation)
            and self.service in ("", call.service)
            and (not self.operation or like(self.operation, call.operation))
            and (not self.who or (call.principal is not None and call.principal.arn.endswith(self.who)))
            and self.mutating in (None, call.mutating)
            and contains(call.params, self.params)
        )

    def shown(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value not in ("", {}, None)}


def contains(actual: Any, wanted: Any) -> bool:
    """Equal, or an object with these keys, or a list with these entries."""
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(key in actual and contains(actual[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(actual, list) and all(any(contains(entry, value) for entry in actual) for value in wanted)
    return actual == wanted
