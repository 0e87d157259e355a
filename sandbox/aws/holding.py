"""Holds one mutating call until a test says otherwise: before it is applied, or before its answer is sent.

A client killed meanwhile has crashed just there: with a call that was never made, or one whose answer was lost.
What the same client asks for beside the held call is held too, and never applied, unless one action was named: how much
of it would come through before the kill is a matter of the machine's speed.
"""

from __future__ import annotations

import threading

from .call import Call

LONGEST = 300  # seconds; a test that died must not hold a thread for ever


class Holding:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._go = threading.Event()
        self._left = 0
        self._when = ""
        self._who = ""
        self._action = ""
        self._held: Call | None = None

    def arm(self, nth: int, when: str, who: str, action: str = "") -> None:
        """Holds the nth mutating call from now on (of this action, where one is named) by a principal whose ARN ends in `who`."""
        if when not in ("before", "after"):
            raise ValueError("when is before or after")
        with self._lock:
            self._go.clear()
            self._left, self._when, self._who, self._held = nth, when, who, None
            self._action = action

    def release(self) -> None:
        with self._lock:
            self._left, self._held = 0, None
            self._go.set()

    @property
    def held(self) -> str | None:
        """The action of the call that is being held."""
        with self._lock:
            return self._held.action if self._held else None

    def before(self, call: Call) -> bool:
        """False: the call was held before it was applied, and its client is gone; it is not to be applied."""
        with self._lock:
            ours = call.mutating and call.principal is not None and call.principal.arn.endswith(self._who)
            ours = ours and self._action in ("", call.action)
            if not ours:
                return True
            beside = self._held is not None and not self._action
            if not beside:
                if not self._left:
                    return True
                self._left -= 1
                if self._left:
                    return True
                self._held = call
                if self._when == "after":
                    return True
        self._go.wait(LONGEST)
        return False

    def after(self, call: Call) -> None:
        with self._lock:
            held = self._held is call and self._when == "after"
        if held:
            self._go.wait(LONGEST)
