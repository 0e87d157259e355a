"""The clock that AWS goes by, where it and this machine's differ."""

from __future__ import annotations

import datetime

from .. import clock
from ..sandbox import Sandbox
from .kinds import ClockSkew


def now(sandbox: Sandbox) -> datetime.datetime:
    return clock.now() + _skew(sandbox)


def date(sandbox: Sandbox, service: str) -> datetime.datetime:
    """As an answer of this service has it."""
    return (sandbox.clock.date() if service == "s3" else clock.now()) + _skew(sandbox)


def _skew(sandbox: Sandbox) -> datetime.timedelta:
    mode = sandbox.modes.one(ClockSkew)
    return datetime.timedelta(seconds=mode.seconds if mode else 0)
