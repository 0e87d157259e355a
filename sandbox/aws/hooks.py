"""Where the sandbox is more exact than moto: functions tied to one operation of one service.

- `@handles` answers the call itself, moto never sees it: returns the result, a Response, or PASS to let moto answer;
- `@before` may refuse it, by raising an AwsError;
- `@after` runs when moto has answered with success, and may return another Response.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

Hook = Callable[..., Any]
PASS = object()
EVERY = "*"  # as an operation, in @before: all of the service

handlers: dict[tuple[str, str], Hook] = {}
unlocked: set[tuple[str, str]] = set()
checks: dict[tuple[str, str], list[Hook]] = defaultdict(list)
followers: dict[tuple[str, str], list[Hook]] = defaultdict(list)


def handles(service: str, *operations: str, locked: bool = True) -> Callable[[Hook], Hook]:
    """`locked=False`: it waits for something outside, and takes backends.LOCK itself where it needs it."""

    def register(hook: Hook) -> Hook:
        for operation in operations:
            if not locked:
                unlocked.add((service, operation))
            assert (service, operation) not in handlers, f"{service}:{operation} is handled twice"
            handlers[service, operation] = hook
        return hook

    return register


def before(service: str, *operations: str) -> Callable[[Hook], Hook]:
    def register(hook: Hook) -> Hook:
        for operation in operations:
            checks[service, operation].append(hook)
        return hook

    return register


def after(service: str, *operations: str) -> Callable[[Hook], Hook]:
    def register(hook: Hook) -> Hook:
        for operation in operations:
            followers[service, operation].append(hook)
        return hook

    return register
