"""What only tests ask, under /_sandbox/: no AWS, no signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from . import backends, principals
from .asked import Asked, Refused
from .dump import dump
from .faults.fault import Fault
from .sandbox import Sandbox
from .tagging import resources


def answer(sandbox: Sandbox, request: Request) -> Response:
    try:
        return _answer(sandbox, request)
    except Refused as refused:
        return _json({"error": str(refused)}, 400)


def _answer(sandbox: Sandbox, request: Request) -> Response:
    match request.method, request.path.removeprefix("/_sandbox/"):
        case "GET", "dump":
            return _json(dump(sandbox))
        case "GET", "calls":
            return _json(sandbox.calls.report())
        case "GET", "timeline":
            with backends.LOCK:
                sandbox.settle()
            return _json({"entries": sandbox.timeline.report()})
        case "POST", "reset-calls":
            sandbox.calls.reset()
            return _json({})
        case "POST", "speed":
            factor = float(request.args["factor"])
            if factor <= 0:
                return _json({"error": "the factor must be above 0"}, 400)
            sandbox.clock.speed = factor
            return _json({"factor": factor})
        case "POST", "ahead":
            sandbox.clock.ahead = float(request.args["seconds"])
            return _json({"seconds": sandbox.clock.ahead})
        case "POST", "expire-sessions":
            principals.expire_sessions()
            return _json({})
        case "POST", "leak-interfaces":
            sandbox.leak_interfaces = request.args.get("on", "true") == "true"
            return _json({"on": sandbox.leak_interfaces})
        case "POST", "freeze-tags":
            frozen = request.args.get("on", "true") == "true"
            with backends.LOCK:
                sandbox.tagged = resources.tagged() if frozen else None
            return _json({"on": frozen})
        case "POST", "quota":
            quota = {"mode": "quota", "code": request.args["code"], "vcpus": float(request.args["vcpus"])}
            return _json(sandbox.modes.turn_on(Asked(quota), sandbox.clock.time()))
        case "POST", "fail":
            _fail(sandbox, request.args)
            return _json({})
        case "GET", "faults":
            return _json({"faults": sandbox.faults.report()})
        case "POST", "faults":
            return _json({"id": sandbox.faults.add(Fault.read(_asked(request)))})
        case "DELETE", "faults":
            return _json({"faults": sandbox.faults.end()})
        case "DELETE", path if path.startswith("faults/"):
            ended = sandbox.faults.end(path.removeprefix("faults/"))
            return _json({"faults": ended}) if ended else _json({"error": f"no {path}"}, 404)
        case "GET", "modes":
            return _json({"modes": sandbox.modes.report()})
        case "POST", "modes":
            return _json(sandbox.modes.turn_on(_asked(request), sandbox.clock.time()))
        case "DELETE", "modes":
            return _json({"modes": sandbox.modes.end()})
        case "DELETE", path if path.startswith("modes/"):
            ended = sandbox.modes.end(path.removeprefix("modes/"))
            return _json({"modes": ended}) if ended else _json({"error": f"no {path}"}, 404)
        case "POST", "hold":
            arguments = request.args
            sandbox.holding.arm(int(arguments["nth"]), arguments["when"], arguments["who"], arguments.get("action", ""))
            return _json({})
        case "GET", "hold":
            return _json({"held": sandbox.holding.held})
        case "POST", "release":
            sandbox.holding.release()
            return _json({})
        case "GET", "ready":
            return _json({"ready": True})
    return _json({"error": f"no {request.method} {request.path}"}, 404)


def _asked(request: Request) -> Asked:
    try:
        return Asked(json.loads(request.get_data()))
    except ValueError as error:
        raise Refused("the body", f"is no JSON: {error}") from None


def _fail(sandbox: Sandbox, arguments: Mapping[str, str]) -> None:
    """The next calls of an action, as a fault of its own name; none any more where `times` is 0."""
    service, _, operation = arguments["action"].partition(":")
    fault = {"kind": "error", "code": arguments["code"], "status": int(arguments["status"]), "when": arguments["when"]}
    sandbox.faults.end("fail")
    if times := int(arguments["times"]):
        match = {"service": service, "operation": operation}
        sandbox.faults.add(Fault.read(Asked({"match": match, "times": times, "fault": fault})), "fail")


def _json(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, indent=1, sort_keys=True, default=str)
    return Response(body + "\n", status=status, content_type="application/json")
