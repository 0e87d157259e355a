"""When AWS was done with what takes its time, for whoever measures how late a client sees it."""

from __future__ import annotations

import threading
import time
from typing import Any


class Timeline:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []

    def note(self, kind: str, name: str, state: str, at: float | None = None) -> None:
        """It is in this state from now on; `at`: from this Unix time on, where that is noticed later."""
        entry = {"at": time.time() if at is None else at, "kind": kind, "name": name, "state": state}
        with self._lock:
            self._entries.append(entry)

    def report(self) -> list[dict[str, Any]]:
        """In the order of time, which is not always that of noticing."""
        with self._lock:
            return sorted(self._entries, key=lambda entry: entry["at"])
