"""Long work of EKS, off the lock: one thread a transition. What fails there shows in the resource's health."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("aws.eks")


def begin(what: str, work: Callable[[], None], failed: Callable[[str], None]) -> None:
    """`failed` gets the reason, and sets the state that AWS would show."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            log.exception("%s failed", what)
            failed(f"{type(error).__name__}: {error}")

    threading.Thread(target=run, name=f"eks {what}", daemon=True).start()
