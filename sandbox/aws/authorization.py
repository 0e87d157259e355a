"""What may a principal do? Users may do everything (the sandbox is theirs)."""

from __future__ import annotations

from .call import Call


def authorize(call: Call) -> None:
    pass
