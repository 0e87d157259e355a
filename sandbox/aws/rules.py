"""Everything that is more exact than moto, imported once; what changes with time is settled before every call."""

from __future__ import annotations

from . import ec2, eks, sts
from .ec2 import endpoints, nat_gateways
from .sandbox import Sandbox

__all__ = ["ec2", "eks", "install", "sts"]


def install(sandbox: Sandbox) -> None:
    sandbox.settlers += [lambda: nat_gateways.settle(sandbox), lambda: endpoints.settle(sandbox)]
