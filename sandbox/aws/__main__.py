"""`python -m aws`: the AWS side alone, without Kubernetes; prints the environment that reaches it."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from . import forkserver
from .offline import OfflineWorld
from .server import Server, serve


def main() -> None:
    if sys.argv[1:] == ["--fork-server"]:
        forkserver.run(start)
        return
    server = start(sys.argv[1:], sys.stdout)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    server.stop()


def start(words: list[str], told: TextIO) -> Server:
    """One that these arguments describe; what its clients set is told."""
    parser = argparse.ArgumentParser(prog="python -m aws", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4566, help="0 picks a free one")
    parser.add_argument("--speed", type=float, default=60.0, help="how many times faster than AWS (default 60)")
    parser.add_argument("--pretend", action="store_true", help="say that nodes are Ready, add-ons and targets healthy")
    parser.add_argument("--strict", action="store_true", help="an answer that breaks the service's model is an error")
    parser.add_argument("--plane", type=Path, help="the directory of `python -m nodeless`, whose control plane every cluster gets")
    parser.add_argument("--alias", default="m", help="of the one model that a stand-in for the gateway answers for there")
    parser.add_argument("--log", help="a file for one line a call")
    arguments = parser.parse_args(words)
    if arguments.log:
        logging.basicConfig(filename=arguments.log, level=logging.INFO, format="%(asctime)s %(message)s")
    world = _nodeless(arguments) if arguments.plane else OfflineWorld(arguments.pretend)
    server = serve(world, arguments.host, arguments.port, arguments.speed, strict=arguments.strict)
    if arguments.plane:
        world.join(server)
    print(f"export AWS_ENDPOINT_URL=http://{arguments.host}:{server.port}", file=told)
    print(f"export AWS_ACCESS_KEY_ID={server.access_key}", file=told)
    print(f"export AWS_SECRET_ACCESS_KEY={server.secret_key}", file=told)
    print("export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1", file=told)
    print("export AWS_EC2_METADATA_DISABLED=true", file=told, flush=True)
    return server


def _nodeless(arguments: argparse.Namespace) -> Any:
    from nodeless.world import NodelessWorld  # late: nobody else wants it

    return NodelessWorld(arguments.plane, arguments.alias)


main()
