"""AWS takes minutes where the sandbox takes seconds: durations are said as AWS has them and divided by the speed."""

from __future__ import annotations

import datetime
import threading
import time


class Clock:
    def __init__(self, speed: float = 60.0) -> None:
        self.speed = speed

    def due(self, aws_seconds: float) -> float:
        """The moment, on time.monotonic(), at which something that takes so long on AWS is done here."""
        return time.monotonic() + aws_seconds / self.speed

    def reached(self, moment: float) -> bool:
        return time.monotonic() >= moment

    def sleep(self, aws_seconds: float, stop: threading.Event | None = None) -> None:
        """In slices, so that a change of the speed is felt by those already waiting."""
        left = aws_seconds
        while left > 0 and not (stop and stop.is_set()):
            piece = min(left / self.speed, 0.25)
            time.sleep(piece)
            left -= piece * self.speed


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
