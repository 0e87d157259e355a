"""What only tests ask, under /_sandbox/: no AWS, no signature."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.wrappers import Request, Response

from . import backends, principals
from .dump import dump
from .sandbox import Sandbox
from .tagging import resources


def answer(sandbox: Sandbox, request: Request) -> Response:
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
            sandbox.quotas[request.args["code"]] = float(request.args["vcpus"])
            return _json({"quotas": sandbox.quotas})
        case "POST", "fail":
            asked = request.args
            times, status = int(asked["times"]), int(asked["status"])
            sandbox.failing.arm(asked["action"], times, asked["when"], asked["code"], status)
            return _json({})
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


def _json(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, indent=1, sort_keys=True, default=str)
    return Response(body + "\n", status=status, content_type="application/json")
