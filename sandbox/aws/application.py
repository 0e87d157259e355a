"""The WSGI application: reads the call, checks who signed it, asks the hooks and moto, and writes the answer."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.http import http_date
from werkzeug.wrappers import Response

from . import authentication, authorization, backends, connection, control, hooks, models, signature
from .call import MODEL_NAMES, Call
from .connection import Unanswered
from .dump import remember
from .errors import AwsError
from .faults import Answered
from .idempotency import Idempotency
from .modes import buckets, clock, visibility
from .sandbox import Sandbox
from .signature import BadSignature, Signed

log = logging.getLogger("aws")


class Application:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._idempotency = Idempotency()
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        buffer_body(environ)
        request = Request(environ)
        request.get_data()  # kept by werkzeug from here on: reading the form first would use it up
        if request.path.startswith("/_sandbox/"):
            return control.answer(self._sandbox, request)(environ, start_response)
        call, response = self._answer(request)
        if call.notes.get("stamped", True):
            _stamp(call, response)
        response.headers["Date"] = http_date(clock.date(self._sandbox, call.service))
        if call.mutating:
            self._sandbox.calls.add(call, response.status_code)
        who = call.principal.arn if call.principal else "-"
        log.info("%s %s %s %s %s", call.region, call.action, response.status_code, call.request_id, who)
        if how := call.notes.get("cut"):
            connection.cut(environ, how)
        return response(environ, start_response)

    def _answer(self, request: Request) -> tuple[Call, Response]:
        try:
            signed = signature.read(request)
        except BadSignature as bad:
            call = Call(request, "s3", "us-east-1", backends.ACCOUNT)
            return call, call.error(authentication.refusal(call, bad))
        call = identify(request, signed)
        try:
            call.read_operation()
            authentication.authenticate(call, signed, request.get_data(), clock.now(self._sandbox))
            models.requests.check(call)
            authorization.authorize(call)
            buckets.take(self._sandbox, call)
            if not self._sandbox.holding.before(call):
                raise AwsError("ServiceUnavailable", "Held until its client was gone; not applied.", 503)
            self._sandbox.faults.before(call, self._sandbox.clock)
            response = self._held_to_the_model(call, self._dispatch(call))
            self._sandbox.faults.after(call)
            self._sandbox.holding.after(call)
            return call, response
        except AwsError as error:
            return call, call.error(error)
        except ServiceException as error:  # moto's own, where a handler asks a backend
            return call, call.error(AwsError(error.code, error.message))
        except Answered as answered:
            call.notes["stamped"] = answered.effect.stamped
            return call, Response(answered.effect.body, answered.effect.status)
        except Unanswered as unanswered:
            call.notes["cut"] = unanswered.how
            return call, call.error(AwsError("ServiceUnavailable", "Not applied, and not answered.", 503))
        except Exception:
            log.exception("%s failed inside the sandbox", call.action)
            message = "The sandbox itself failed; its log has the traceback."
            return call, call.error(AwsError("InternalFailure", message, 500))

    def _dispatch(self, call: Call) -> Response:
        key = (call.service, call.operation)
        if key in hooks.unlocked:
            answer = hooks.handlers[key](self._sandbox, call)
            if answer is not hooks.PASS:
                return answer if isinstance(answer, Response) else call.result(answer)
        with backends.LOCK:
            remember(call.region)
            self._sandbox.settle()
            with visibility.hidden(self._sandbox, call):
                return self._dispatch_locked(call)

    def _dispatch_locked(self, call: Call) -> Response:
        key = (call.service, call.operation)
        for check in [*hooks.checks.get((call.service, hooks.EVERY), ()), *hooks.checks.get(key, ())]:
            check(self._sandbox, call)
        if (handler := hooks.handlers.get(key)) and key not in hooks.unlocked:
            answer = handler(self._sandbox, call)
            if answer is not hooks.PASS:
                return answer if isinstance(answer, Response) else call.result(answer)
        if call.params.get("DryRun"):
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        if call.service == "eks":
            raise AwsError("InvalidRequestException", f"The sandbox has no {call.operation or call.request.path}.")
        if (earlier := self._idempotency.answer(call)) is not None:
            return earlier
        response = self._ask_moto(call)
        if response.status_code < 400:
            for follow in hooks.followers.get(key, ()):
                response = follow(self._sandbox, call, response) or response
            self._idempotency.remember(call, response)
        return response

    def _held_to_the_model(self, call: Call, response: Response) -> Response:
        """An answer that AWS could not give is a bug of the sandbox: said in the log, and where tests run, no answer."""
        breaches = models.answers.problems(call, response)
        for breach in breaches:
            log.error("BUG of the sandbox: its answer to %s breaks the model: %s", call.action, breach)
        if breaches and self._sandbox.strict:
            message = f"The sandbox's own answer to {call.action} breaks the model: {'; '.join(breaches[:20])}"
            raise AwsError("InternalFailure", message, 500)
        return response

    def _ask_moto(self, call: Call) -> Response:
        environ = dict(call.request.environ)
        environ["wsgi.input"] = io.BytesIO(call.request.get_data())
        for cached in [name for name in environ if name.startswith("werkzeug.") and name != "werkzeug.socket"]:
            del environ[cached]
        return Response.from_app(self._moto, environ)


def _stamp(call: Call, response: Response) -> None:
    """One request id, in the header, in the body and in our log of calls: moto makes up several."""
    response.headers["x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"] = call.request_id
    if call.service != "s3" and response.mimetype in ("text/xml", "application/xml"):
        pattern = rb"(<RequestId>|<requestId>|<RequestID>)[^<]*(?=</)"
        response.data = re.sub(pattern, rb"\g<1>" + call.request_id.encode(), response.data, count=1)


def buffer_body(environ: dict[str, Any]) -> None:
    """Three readers want the body: the signature, the parameters and moto."""
    if environ.get("wsgi.input_terminated"):  # chunked: werkzeug ends the stream by itself
        body = environ["wsgi.input"].read()
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)


def identify(request: Request, signed: Signed | None) -> Call:
    if signed is not None:
        service = MODEL_NAMES.get(signed.service, signed.service)
        return Call(request, service, signed.region, backends.ACCOUNT)
    if request.values.get("Version") == "2011-06-15" and request.values.get("Action"):
        return Call(request, "sts", "us-east-1", backends.ACCOUNT)
    return Call(request, "s3", "us-east-1", backends.ACCOUNT)
