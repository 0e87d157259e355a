"""Access entries that admit nobody yet."""

from __future__ import annotations

from ..eks.state import AccessEntry
from ..sandbox import Sandbox
from .kinds import SlowAccessEntry


def delay(sandbox: Sandbox, entry: AccessEntry) -> None:
    if mode := sandbox.modes.one(SlowAccessEntry):
        due = sandbox.clock.due(mode.seconds)
        entry.admits = lambda: sandbox.clock.reached(due)
