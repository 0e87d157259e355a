"""Every mode that a test can turn on, and what it has to say about it. Seconds are AWS's, on the sandbox's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..asked import Asked
from ..clock import now


@dataclass
class Mode:
    NAME: ClassVar[str]
    since: float = field(default=0.0, init=False)  # on the sandbox's clock

    @classmethod
    def read(cls, asked: Asked) -> Mode:
        return cls()

    @property
    def key(self) -> str:
        """What is in the way of a second one with the same: it is replaced."""
        return self.NAME

    def shown(self) -> dict[str, Any]:
        return {"mode": self.NAME}


@dataclass
class _Lasting(Mode):
    """One that has nothing but a duration."""

    USUAL: ClassVar[float]
    seconds: float = 0.0

    @classmethod
    def read(cls, asked: Asked) -> Mode:
        return cls(seconds=asked.number("seconds", cls.USUAL))

    def shown(self) -> dict[str, Any]:
        return {"mode": self.NAME, "seconds": self.seconds}


@dataclass
class Quota(Mode):
    """So many vCPUs of a family of instances may run."""

    NAME = "quota"
    code: str = ""
    vcpus: float = 0.0

    @classmethod
    def read(cls, asked: Asked) -> Quota:
        return cls(asked.text("code"), asked.number("vcpus"))

    @property
    def key(self) -> str:
        return f"{self.NAME}/{self.code}"

    def shown(self) -> dict[str, Any]:
        return {"mode": self.NAME, "code": self.code, "vcpus": self.vcpus}


@dataclass
class Capacity(Mode):
    """EC2 has no instances left in a zone: of one type, or of any."""

    NAME = "capacity"
    zone: str = ""
    instance_type: str = ""

    @classmethod
    def read(cls, asked: Asked) -> Capacity:
        return cls(asked.text("zone"), asked.text("instance_type", ""))

    @property
    def key(self) -> str:
        return f"{self.NAME}/{self.zone}/{self.instance_type}"

    def shown(self) -> dict[str, Any]:
        return {"mode": self.NAME, "zone": self.zone} | ({"instance_type": self.instance_type} if self.instance_type else {})


@dataclass
class NodeCreationFailure(_Lasting):
    """Instances start and never join; EKS says so after `seconds`. Ended before, they join."""

    NAME, USUAL = "node-creation-failure", 23 * 60.0


@dataclass
class Degraded(Mode):
    """Node groups that are active are unhealthy: their nodes cannot talk to the cluster any more."""

    NAME = "degraded"


@dataclass
class SlowAccessEntry(_Lasting):
    """An access entry is there at once and admits nobody for `seconds`."""

    NAME, USUAL = "slow-access-entry", 60.0


@dataclass
class CachedServiceAccount(Mode):
    """The pod identity webhook's cache stands still: it knows no service account that was made since."""

    NAME = "cached-service-account"
    # Unix time in whole seconds, as Kubernetes notes when an object was made.
    at: float = field(default_factory=lambda: float(int(now().timestamp())), init=False)


@dataclass
class LingeringEndpoint(_Lasting):
    """A VPC endpoint stays `deleting` for `seconds`, with its routes and interfaces."""

    NAME, USUAL = "lingering-endpoint", 600.0


@dataclass
class GuardDuty(Mode):
    """GuardDuty's runtime monitoring is on: it puts its endpoint and its security group into every VPC with a cluster."""

    NAME = "guardduty"


@dataclass
class InterfaceInUse(_Lasting):
    """A network interface that is `available` is refused deletion for `seconds` after the first try."""

    NAME, USUAL = "interface-in-use", 60.0
    tried: dict[str, float] = field(default_factory=dict, init=False)  # by id, on the sandbox's clock


@dataclass
class DeletionFails(Mode):
    """The next `times` deletions of a node group or a cluster end in a failure."""

    NAME = "deletion-fails"
    kind: str = ""
    times: int = 1

    @classmethod
    def read(cls, asked: Asked) -> DeletionFails:
        return cls(asked.text("kind", among=("node-group", "cluster")), asked.whole("times", 1, 1))

    @property
    def key(self) -> str:
        return f"{self.NAME}/{self.kind}"

    def shown(self) -> dict[str, Any]:
        return {"mode": self.NAME, "kind": self.kind, "times": self.times}


@dataclass
class ClockSkew(Mode):
    """AWS's clock is so many real seconds ahead of this machine's; behind it, where they are negative."""

    NAME = "clock-skew"
    seconds: float = 0.0

    @classmethod
    def read(cls, asked: Asked) -> ClockSkew:
        return cls(asked.number("seconds", least=-(10**8), most=10**8))

    def shown(self) -> dict[str, Any]:
        return {"mode": self.NAME, "seconds": self.seconds}


@dataclass
class Throttling(Mode):
    """Token buckets as AWS publishes them; `share` is what others in the account leave of each."""

    NAME = "throttling"
    share: float = 1.0
    # By bucket: tokens, and the monotonic time of the last look.
    buckets: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict, init=False)
    refused: dict[str, int] = field(default_factory=dict, init=False)  # by action

    @classmethod
    def read(cls, asked: Asked) -> Throttling:
        return cls(asked.number("share", 1.0, 0.001, 1))

    def shown(self) -> dict[str, Any]:
        return {"mode": self.NAME, "share": self.share, "refused": dict(self.refused)}


@dataclass
class VisibilityDelay(_Lasting):
    """What was made is not seen, and not to be used, for `seconds`: EC2, IAM, EKS, and the tagging API's view of them."""

    NAME, USUAL = "visibility-delay", 10.0
    born: dict[tuple[Any, ...], float] = field(default_factory=dict, init=False)  # of everything; on the sandbox's clock
    regions: set[str] = field(default_factory=set, init=False)  # that were looked at since it is on


KINDS: dict[str, type[Mode]] = {
    kind.NAME: kind
    for kind in (
        Quota,
        Capacity,
        NodeCreationFailure,
        Degraded,
        SlowAccessEntry,
        CachedServiceAccount,
        LingeringEndpoint,
        GuardDuty,
        InterfaceInUse,
        DeletionFails,
        ClockSkew,
        Throttling,
        VisibilityDelay,
    )
}
