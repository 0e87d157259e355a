"""The modes that are on."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

from ..asked import Asked
from .kinds import KINDS, CachedServiceAccount, Mode

M = TypeVar("M", bound=Mode)


class Modes:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: dict[str, Mode] = {}

    def turn_on(self, asked: Asked, moment: float) -> dict[str, Any]:
        """From this moment on the sandbox's clock. The same mode for the same thing is replaced."""
        mode = KINDS[asked.text("mode", among=tuple(KINDS))].read(asked)
        asked.close()
        mode.since = moment
        with self._lock:
            self._on[mode.key] = mode
        return mode.shown()

    def end(self, name: str = "") -> list[dict[str, Any]]:
        """All of this name, or all; tells which."""
        with self._lock:
            ended = [key for key, mode in self._on.items() if name in ("", mode.NAME)]
            return [self._on.pop(key).shown() for key in ended]

    def all(self, kind: type[M]) -> list[M]:
        with self._lock:
            return [mode for mode in self._on.values() if isinstance(mode, kind)]

    def one(self, kind: type[M]) -> M | None:
        """Of a kind that is on only once."""
        return next(iter(self.all(kind)), None)

    def knows_service_account(self, created: float) -> bool:
        """Whether the pod identity webhook's cache has one that was made at this Unix time."""
        stopped = self.one(CachedServiceAccount)
        return stopped is None or created < stopped.at

    def report(self) -> list[dict[str, Any]]:
        with self._lock:
            return [mode.shown() for mode in self._on.values()]
