"""AWS takes minutes where the sandbox takes seconds: durations are said as AWS has them and divided by the speed."""

from __future__ import annotations

import datetime
import threading
import time


class Clock:
    """A change of the speed is felt at once by what is already under way: this clock's own time is kept, not dates."""

    def __init__(self, speed: float = 60.0) -> None:
        self._lock = threading.Lock()
        self._speed = speed
        self._base = time.monotonic()
        self._elapsed = 0.0  # AWS seconds up to _base
        self.ahead = 0.0  # seconds that S3's dates are ahead of this machine's clock

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, factor: float) -> None:
        with self._lock:
            self._elapsed, self._base = self._now(), time.monotonic()
            self._speed = factor

    def time(self) -> float:
        """AWS seconds since the start."""
        with self._lock:
            return self._now()

    def due(self, aws_seconds: float) -> float:
        """The moment, on this clock, when something that takes so long is done."""
        return self.time() + aws_seconds

    def skip(self, aws_seconds: float) -> None:
        """Lets so much time pass at once, for tests that must not race the machine."""
        with self._lock:
            self._elapsed += aws_seconds

    def reached(self, moment: float) -> bool:
        return self.time() >= moment

    def unix(self, moment: float) -> float:
        """When that was, as the machine's clock has it, if the speed has not changed since."""
        return time.time() - (self.time() - moment) / self._speed

    def wait(self, moment: float) -> None:
        while (left := moment - self.time()) > 0:
            time.sleep(min(left / self._speed, 0.25))

    def sleep(self, aws_seconds: float) -> None:
        self.wait(self.due(aws_seconds))

    def date(self) -> datetime.datetime:
        """Today, as S3 writes it in its answers."""
        return now() + datetime.timedelta(seconds=self.ahead)

    def _now(self) -> float:
        return self._elapsed + (time.monotonic() - self._base) * self._speed


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
