"""All faults that a test has asked for, in the order of asking."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

from .. import connection
from ..call import Call
from ..clock import Clock
from ..connection import Unanswered
from ..errors import AwsError
from . import throttled
from .fault import Effect, Fault


class Answered(Exception):
    """The call gets this instead of its service's answer."""

    def __init__(self, effect: Effect) -> None:
        super().__init__(effect.status)
        self.effect = effect


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._numbers = itertools.count(1)

    def add(self, fault: Fault, identifier: str = "") -> str:
        """Under a name of its own it takes the place of the one that has it."""
        with self._lock:
            identifier = identifier or str(next(self._numbers))
            if former := self._faults.pop(identifier, None):
                former.ended.set()
            self._faults[identifier] = fault
        return identifier

    def end(self, identifier: str | None = None) -> list[dict[str, Any]]:
        """One, or all; tells what they did. Empty where there is none of this name. What hangs by them goes on."""
        with self._lock:
            names = [name for name in self._faults if identifier in (None, name)]
            ended = [(name, self._faults.pop(name)) for name in names]
            for _, fault in ended:
                fault.ended.set()
            return [fault.shown(name) for name, fault in ended]

    def report(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.shown(name) for name, fault in self._faults.items()]

    def before(self, call: Call, clock: Clock) -> None:
        """Raises what the call gets instead of being applied; what it gets afterwards is noted in it."""
        with self._lock:
            struck = [fault for fault in self._faults.values() if fault.strikes(call)]
        for fault in struck:
            match fault.effect.kind:
                case "error" if fault.effect.when == "before":
                    raise _error(fault.effect)
                case "error":
                    call.notes["error"] = _error(fault.effect)
                case "answer" if fault.effect.when == "before":
                    raise Answered(fault.effect)
                case "answer":
                    call.notes["error"] = Answered(fault.effect)
                case "lost":
                    call.notes["cut"] = connection.CLOSED
                case "delay":
                    clock.sleep(fault.effect.seconds)
                case "hang":
                    _hang(call, fault)
                case "reset":
                    raise Unanswered(connection.RESET)
                case "throttle":
                    raise throttled.error(call)

    def after(self, call: Call) -> None:
        """Raises what the call gets though it was applied."""
        if error := call.notes.get("error"):
            raise error


def _error(effect: Effect) -> AwsError:
    return AwsError(effect.code, effect.message, effect.status)


def _hang(call: Call, fault: Fault) -> None:
    """Nobody's call is applied later: who has given up may have made another."""
    end = time.monotonic() + fault.effect.seconds
    while not fault.ended.wait(0.05) and time.monotonic() < end:
        if connection.is_gone(call.request.environ):
            break
    if connection.is_gone(call.request.environ):
        raise Unanswered(connection.CLOSED)
