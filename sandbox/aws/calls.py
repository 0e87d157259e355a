"""Every mutating call since the start or the last reset, for tests that count."""

from __future__ import annotations

import threading
from typing import Any

from .call import Call


class Calls:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[dict[str, Any]] = []

    def add(self, call: Call, status: int) -> None:
        entry = {
            "principal": call.principal.arn if call.principal else None,
            "action": call.action,
            "region": call.region,
            "request_id": call.request_id,
            "status": status,
        }
        with self._lock:
            self._calls.append(entry)

    def reset(self) -> None:
        with self._lock:
            self._calls.clear()

    def report(self) -> dict[str, Any]:
        with self._lock:
            calls = list(self._calls)
        counts: dict[str, int] = {}
        for call in calls:
            who = call["principal"] or "anonymous"
            counts[who] = counts.get(who, 0) + 1
        return {"count": len(calls), "by_principal": counts, "calls": calls}
