"""Lets calls of one action fail as a test says, before they are applied or after (the answer is lost, the doing is not)."""

from __future__ import annotations

import threading

from .call import Call
from .errors import AwsError


class Failing:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0
        self._action, self._when, self._code, self._status = "", "", "", 0

    def arm(self, action: str, times: int, when: str, code: str, status: int) -> None:
        """The next `times` calls of this action get the error `code`; 0 times: none any more."""
        if when not in ("before", "after"):
            raise ValueError("when is before or after")
        with self._lock:
            self._left, self._action, self._when, self._code, self._status = times, action, when, code, status

    def strike(self, call: Call, when: str) -> None:
        with self._lock:
            if not self._left or (call.action, when) != (self._action, self._when):
                return
            self._left -= 1
            error = AwsError(self._code, "A test wants it so.", self._status)
        raise error
