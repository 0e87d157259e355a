"""moto's backends of the sandbox's one account, and the lock that guards them (they are plain dicts)."""

from __future__ import annotations

import os
import threading

# Read by moto when it is imported: the managed policies that EKS asks for exist only with this.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT  # noqa: E402
from moto.ec2.models import EC2Backend, ec2_backends  # noqa: E402
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend  # noqa: E402
from moto.ecr.models import ECRBackend, ecr_backends  # noqa: E402
from moto.elbv2.models import ELBv2Backend, elbv2_backends  # noqa: E402
from moto.iam.models import IAMBackend, iam_backends  # noqa: E402
from moto.s3.models import S3Backend, s3_backends  # noqa: E402
from moto.sts.models import STSBackend, sts_backends  # noqa: E402

__all__ = ["ACCOUNT", "LOCK", "REGIONS", "ec2", "ecr", "elbv2", "iam", "s3", "sts"]

# As ec2:DescribeRegions lists them.
REGIONS = frozenset(region.name for region in RegionsAndZonesBackend.regions)

# One for everything: a call sees and leaves the backends whole. Held only for moments, never while the world works.
LOCK = threading.RLock()


def ec2(region: str) -> EC2Backend:
    return ec2_backends[ACCOUNT][region]


def all_ec2() -> list[EC2Backend]:
    """Of every region that somebody has used; asking moto for a region would make it."""
    return list(dict(ec2_backends[ACCOUNT]).values())


def ecr(region: str) -> ECRBackend:
    return ecr_backends[ACCOUNT][region]


def all_ecr() -> list[ECRBackend]:
    return list(dict(ecr_backends[ACCOUNT]).values())


def elbv2(region: str) -> ELBv2Backend:
    return elbv2_backends[ACCOUNT][region]


def all_elbv2() -> list[ELBv2Backend]:
    return list(dict(elbv2_backends[ACCOUNT]).values())


def iam() -> IAMBackend:
    return iam_backends[ACCOUNT]["aws"]


def s3() -> S3Backend:
    return s3_backends[ACCOUNT]["aws"]


def sts() -> STSBackend:
    return sts_backends[ACCOUNT]["aws"]
