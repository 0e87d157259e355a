"""`python -m aws.tests.replay`: gives out answers that a test sets, one an operation, as AWS would send them; nothing is
behind them, and an operation without one gets an empty success.

    PUT /_replay    a list of answers, in place of those before:
                    service, operation    as botocore names them
                    answer                as botocore parses it; of an error {"Error": {"Code", "Message"}, ...}
                    status                of HTTP
                    wire                  the body as it came, instead of an answer that is serialised
    GET /_replay    the operations that were called since, in order: "ec2:DescribeVpcs"

It prints where it listens, and ends when its standard input does.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterable
from typing import Any

from moto.core.request import Request
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from .. import signature
from ..application import buffer_body, identify
from ..call import Call
from ..errors import AwsError
from ..server import Handler


class Replay:
    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], dict[str, Any]] = {}
        self._called: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        buffer_body(environ)
        request = Request(environ)
        request.get_data()
        answer = self._control if request.path == "/_replay" else self._answer
        return answer(request)(environ, start_response)

    def _control(self, request: Request) -> Response:
        if request.method == "PUT":
            answers = json.loads(request.get_data())
            self._answers = {(answer["service"], answer["operation"]): answer for answer in answers}
            self._called = []
        return Response(json.dumps(self._called), content_type="application/json")

    def _answer(self, request: Request) -> Response:
        call = identify(request, signature.read(request))
        call.read_operation()
        self._called.append(f"{call.service}:{call.operation}")
        told = self._answers.get((call.service, call.operation), {"answer": {}, "status": None})
        try:
            response = _serialised(call, told)
        except Exception as why:  # the test must not take it for an answer of AWS
            logging.getLogger("replay").exception("%s", call.operation)
            response = Response(f"not serialised: {why!r}", status=599)
        response.headers["x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"] = call.request_id
        return response


def _serialised(call: Call, told: dict[str, Any]) -> Response:
    if told.get("wire"):
        return Response(told["wire"], status=told["status"], content_type="text/xml")
    answer = told["answer"]
    if error := answer.get("Error"):
        members = {key: value for key, value in answer.items() if key not in ("Error", "ResponseMetadata")}
        return call.error(AwsError(error.get("Code", ""), error.get("Message", ""), told["status"], **members))
    response = call.result(answer)
    if call.is_json:
        response.data = json.dumps(_with_nulls(json.loads(response.data or "{}"), answer))
    if told["status"]:
        response.status_code = told["status"]
    return response


def _with_nulls(body: Any, answer: Any) -> Any:
    """EKS writes null for what is not there, and moto leaves that out."""
    if isinstance(body, dict) and isinstance(answer, dict):
        nulls = {key: None for key, value in answer.items() if value is None}
        return nulls | {key: _with_nulls(value, answer.get(key)) for key, value in body.items()}
    if isinstance(body, list) and isinstance(answer, list) and len(body) == len(answer):
        return [_with_nulls(*pair) for pair in zip(body, answer)]
    return body


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*does not match an error shape in service models.*")
    http = make_server("127.0.0.1", 0, Replay(), threaded=True, request_handler=Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    print(f"127.0.0.1:{http.port}", flush=True)
    sys.stdin.read()


main()
