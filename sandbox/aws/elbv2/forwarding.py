"""Keeps the world's balancers as AWS has them: one thread looks, and tells the world what changed."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from .. import backends
from ..sandbox import Sandbox
from ..world import Listener
from . import target_health

log = logging.getLogger("aws.elbv2")
LOOK = 0.25  # real seconds


def start(sandbox: Sandbox) -> None:
    threading.Thread(target=_run, args=(sandbox,), name="balancers", daemon=True).start()


def _run(sandbox: Sandbox) -> None:
    running: dict[str, list[Listener]] = {}
    while True:
        try:
            _look(sandbox, running)
        except Exception:
            log.exception("balancers could not be brought up to date; trying again")
        time.sleep(LOOK)


def _look(sandbox: Sandbox, running: dict[str, list[Listener]]) -> None:
    with backends.LOCK:
        balancers = [
            (elbv2, balancer)
            for elbv2 in backends.all_elbv2()
            for balancer in elbv2.load_balancers.values()
            if sandbox.clock.reached(getattr(balancer, "due", 0))
        ]
        wanted = {balancer.dns_name: _listeners(elbv2, balancer) for elbv2, balancer in balancers}
    for name in [name for name in running if name not in wanted]:
        sandbox.world.stop_balancer(name)
        del running[name]
    for name, listeners in wanted.items():
        if running.get(name) != listeners:
            sandbox.world.start_balancer(name, listeners)
            running[name] = listeners
    with backends.LOCK:
        for _, balancer in balancers:
            if balancer.state != "active":
                balancer.state = "active"  # only now: its name resolves and forwards
                sandbox.timeline.note("balancer", balancer.name, balancer.state)
    target_health.look(sandbox)


def _listeners(elbv2: Any, balancer: Any) -> list[Listener]:
    listeners = []
    for listener in balancer.listeners.values():
        targets: list[tuple[str, int]] = []
        for arn in target_health.target_groups_of(listener):
            if group := elbv2.target_groups.get(arn):
                targets += target_health.forwarded(elbv2, group)
        listeners.append(Listener(int(listener.port), tuple(sorted(targets))))
    return sorted(listeners, key=lambda listener: listener.port)
