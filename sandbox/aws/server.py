"""Starts the AWS side: one HTTP server for all services."""

from __future__ import annotations

import logging
import threading
import warnings
from dataclasses import dataclass
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from . import principals, rules
from .application import Application
from .clock import Clock
from .sandbox import Sandbox
from .world import World


class Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive: every SDK holds its connections

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)  # the date is the application's, which has it from the sandbox's clock

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        self.close_connection = True  # there may be no socket left to read the next request from

    def log(self, type: str, message: str, *args: object) -> None:
        pass  # the application logs calls, which says more than paths


@dataclass
class Server:
    sandbox: Sandbox
    access_key: str
    secret_key: str
    _http: BaseWSGIServer

    @property
    def port(self) -> int:
        return self._http.port

    def new_user(self, name: str) -> tuple[str, str]:
        """A principal of its own: (access key id, secret access key)."""
        return principals.new_user(name)

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def serve(
    world: World, host: str = "0.0.0.0", port: int = 4566, speed: float = 60.0, user: str = "sandbox", strict: bool = False
) -> Server:
    """Listens and returns at once; a thread serves. Port 0 picks a free one. `strict`: see Sandbox."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Signature errors and the like are common to all services, and in no service's model.
    warnings.filterwarnings("ignore", message=".*does not match an error shape in service models.*")
    sandbox = Sandbox(world, Clock(speed), strict=strict)
    rules.install(sandbox)
    access_key, secret_key = principals.new_user(user)
    http = make_server(host, port, Application(sandbox), threaded=True, request_handler=Handler)
    threading.Thread(target=http.serve_forever, name="aws", daemon=True).start()
    return Server(sandbox, access_key, secret_key, http)
