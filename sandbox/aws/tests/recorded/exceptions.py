"""Where the local AWS is known to answer otherwise than the real one, and why that stays so."""

from __future__ import annotations

from .corpus import Operation

# Operations that the sandbox does not have.
NOT_HERE: dict[Operation, str] = {}

# Keys that AWS's answers have and ours lack, by operation.
KEYS: dict[Operation, dict[str, str]] = {}

# Errors, by operation and code, that nothing here can provoke.
ERRORS: dict[tuple[Operation, str], str] = {}
