"""Everything that is more exact than moto, imported once; what changes with time is settled before every call."""

from __future__ import annotations

from . import ec2, ecr, eks, elbv2, iam, quotas, s3, sts, tagging
from .ec2 import births, endpoints, nat_gateways
from .elbv2 import balancers, forwarding
from .modes import guard_duty
from .sandbox import Sandbox

__all__ = ["ec2", "ecr", "eks", "elbv2", "iam", "install", "quotas", "s3", "sts", "tagging"]


def install(sandbox: Sandbox) -> None:
    for part in (births, nat_gateways, endpoints, balancers, guard_duty):
        sandbox.settlers.append(lambda part=part: part.settle(sandbox))
    ecr.repositories.install(sandbox)
    forwarding.start(sandbox)
