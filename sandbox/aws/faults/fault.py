"""One fault: which calls, how many of them, and what happens to each."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..asked import Asked
from ..call import Call
from ..clock import now
from .match import Match

KINDS = ("error", "answer", "lost", "delay", "hang", "reset", "throttle")
LONGEST = 300.0  # real seconds; a test that died must not hold a thread for ever
TOKENS = ("ClientToken", "clientRequestToken", "CallerReference")


@dataclass(frozen=True)
class Effect:
    kind: str
    code: str = ""
    message: str = ""
    status: int = 0
    when: str = "before"
    seconds: float = 0.0
    body: str = ""
    stamped: bool = True  # as AWS stamps every answer of its own; what lies between does not

    @classmethod
    def read(cls, asked: Asked) -> Effect:
        kind = asked.text("kind", among=KINDS)
        effect = cls(kind)
        if kind == "error":
            code, message = asked.text("code"), asked.text("message", "A test wants it so.")
            status, when = asked.whole("status", 400, 400, 599), asked.text("when", "before", ("before", "after"))
            effect = cls(kind, code, message, status, when)
        elif kind == "answer":
            body, stamped = asked.text("body", ""), asked.flag("stamped", True)
            status, when = asked.whole("status", 200, 200, 599), asked.text("when", "before", ("before", "after"))
            effect = cls(kind, status=status, when=when, body=body, stamped=stamped)
        elif kind == "delay":
            effect = cls(kind, seconds=asked.number("seconds"))
        elif kind == "hang":
            effect = cls(kind, seconds=asked.number("seconds", LONGEST, 0, LONGEST))
        asked.close()
        return effect

    def shown(self) -> dict[str, Any]:
        told: dict[str, Any] = {"kind": self.kind}
        if self.kind == "error":
            told |= {"code": self.code, "message": self.message, "status": self.status, "when": self.when}
        if self.kind == "answer":
            told |= {"status": self.status, "when": self.when, "body": self.body, "stamped": self.stamped}
        if self.kind in ("delay", "hang"):
            told["seconds"] = self.seconds
        return told


@dataclass
class Fault:
    match: Match
    effect: Effect
    skip: int = 0
    times: int | None = None
    percent: float = 100.0
    seed: int = 0
    each: bool = False  # skip and times count for each call apart: the same operation, parameters and principal
    ended: threading.Event = field(default_factory=threading.Event)
    firings: list[dict[str, Any]] = field(default_factory=list)
    matched: int = 0
    _seen: Counter[str] = field(default_factory=Counter)
    _fired: Counter[str] = field(default_factory=Counter)
    _drawn: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, asked: Asked) -> Fault:
        fault = cls(
            Match.read(asked.part("match", {})),
            Effect.read(asked.part("fault")),
            asked.whole("skip", 0),
            asked.whole("times", None, 1),
            asked.number("percent", 100.0, 0, 100),
            asked.whole("seed", 0),
            asked.flag("each", False),
        )
        asked.close()
        return fault

    def strikes(self, call: Call) -> bool:
        """Counts the call if it is meant; under the lock of all faults."""
        if self.ended.is_set() or not self.match.fits(call):
            return False
        self.matched += 1
        which = _identity(call) if self.each else ""
        self._seen[which] += 1
        if self._seen[which] <= self.skip or (self.times is not None and self._fired[which] >= self.times):
            return False
        if not self._drawn_by_chance(call):
            return False
        self._fired[which] += 1
        who = call.principal.arn if call.principal else None
        self.firings.append({"at": now(), "action": call.action, "principal": who, "request_id": call.request_id})
        return True

    def shown(self, identifier: str) -> dict[str, Any]:
        told = {"id": identifier, "match": self.match.shown(), "fault": self.effect.shown(), "skip": self.skip}
        told |= {"times": self.times, "percent": self.percent, "seed": self.seed, "each": self.each}
        return told | {"matched": self.matched, "fired": len(self.firings), "firings": list(self.firings)}

    def _drawn_by_chance(self, call: Call) -> bool:
        """The n-th match of an operation has its lot from the seed: calls that run side by side change nothing in it."""
        self._drawn[call.action] += 1
        lot = hashlib.sha256(f"{self.seed} {call.action} {self._drawn[call.action]}".encode()).digest()
        return int.from_bytes(lot[:8], "big") < self.percent / 100 * 2**64


def _identity(call: Call) -> str:
    """The same again when a client repeats a call, though with a new token."""
    params = {key: value for key, value in call.params.items() if key not in TOKENS}
    who = call.principal.arn if call.principal else ""
    return f"{who} {call.region} {call.action} {call.request.full_path} {json.dumps(params, sort_keys=True, default=str)}"
