"""Local AWSs that are up at once: loading moto and the service models takes seconds of a processor, so one process does
it and forks for everyone who connects.

A connection sends one line, `--speed 600 --pretend`, and gets what `python -m aws --strict` prints with these arguments.
The AWS ends with its connection, so that a test that is killed leaves none; the fork server itself ends with its
standard input.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import TextIO

from moto.backends import get_backend
from moto.core.routing import get_service_router
from moto.iam.models import get_account_id_from
from moto.moto_api._internal import mock_random

from . import backends
from .call import prepare
from .dump import remember

SERVICES = ("ec2", "ecr", "eks", "elbv2", "iam", "s3", "sts")


def run(serve: Callable[[list[str], TextIO], object]) -> None:
    """Prints where it listens; `serve` starts an AWS from the arguments of a line and tells of it."""
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
    ready = selectors.DefaultSelector()
    for source in (sys.stdin, listener):
        ready.register(source, selectors.EVENT_READ)
    while all(key.fileobj is not sys.stdin for key, _ in ready.select()):
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _child(connection, serve)
        connection.close()


def _load() -> None:
    """What a first call of each service would load. No thread may run before a fork."""
    for service in SERVICES:
        prepare(service)
        get_service_router(service)
        get_backend(service)
    remember("us-east-1")
    backends.iam()
    get_account_id_from("")  # asks every partition's IAM, and each reads AWS's own policies
    gc.freeze()  # a child's collections leave shared pages alone


def _child(connection: socket.socket, serve: Callable[[list[str], TextIO], object]) -> None:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        mock_random.seed()  # or all of them give the same ids
        # Closed by nothing but the process's end: whoever sees that may take its ports.
        stream = connection.makefile("rw", encoding="utf-8")
        serve(["--strict", *stream.readline().split()], stream)
        stream.flush()
        stream.read()
        status = 0
    except BaseException:
        traceback.print_exc()  # what is above belongs to the parent, and must not see it
    finally:
        os._exit(status)
