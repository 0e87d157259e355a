"""What the parts of the AWS side share: the world behind it, its clock, and the log of calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .calls import Calls
from .clock import Clock
from .faults import Faults
from .holding import Holding
from .modes import Modes
from .timeline import Timeline
from .world import World


@dataclass
class Sandbox:
    world: World
    clock: Clock
    calls: Calls = field(default_factory=Calls)
    strict: bool = False  # an answer that breaks the service's model is an error: tests want to see it
    leak_interfaces: bool = False  # nodes that end leave an interface of the CNI behind
    holding: Holding = field(default_factory=Holding)
    # What the tagging API has noticed, by region: (ARN, tags). None: everything.
    tagged: dict[str, list[tuple[str, dict[str, str]]]] | None = None
    faults: Faults = field(default_factory=Faults)
    modes: Modes = field(default_factory=Modes)
    disk_keys: dict[str, str] = field(default_factory=dict)  # of the default encryption, by region, where it is not AWS's
    timeline: Timeline = field(default_factory=Timeline)
    # Run before every call, under the lock: what has become due by now (a NAT gateway that is available at last).
    settlers: list[Callable[[], None]] = field(default_factory=list)

    def settle(self) -> None:
        for settle in self.settlers:
            settle()
