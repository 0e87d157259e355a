"""ClientToken of EC2: the same token and parameters get the answer of the first call, and nothing is made twice."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from .call import Call
from .errors import AwsError


class Idempotency:
    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, str], tuple[dict[str, Any], bytes]] = {}

    def answer(self, call: Call) -> Response | None:
        remembered = self._answers.get(self._key(call)) if self._applies(call) else None
        if remembered is None:
            return None
        params, body = remembered
        if params != call.params:
            raise AwsError(
                "IdempotentParameterMismatch",
                f"Arguments on this idempotent request are inconsistent with arguments used in previous request(s) "
                f"with client token {call.params['ClientToken']}.",
            )
        return Response(body, content_type="text/xml")

    def remember(self, call: Call, response: Response) -> None:
        if self._applies(call):
            self._answers[self._key(call)] = (call.params, response.get_data())

    def _applies(self, call: Call) -> bool:
        return call.service == "ec2" and bool(call.params.get("ClientToken"))

    def _key(self, call: Call) -> tuple[str, str, str]:
        return call.region, call.operation, call.params["ClientToken"]
