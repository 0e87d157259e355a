"""Who holds a resource? AWS only says that there are dependencies; here the log names them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from ..errors import AwsError

log = logging.getLogger("aws")


def refuse(message: str, holders: Iterable[str]) -> None:
    """Raises DependencyViolation if anything holds it."""
    if names := list(holders):
        log.info("DependencyViolation: %s (held by %s)", message, ", ".join(names))
        raise AwsError("DependencyViolation", message)


def interface(found: Any) -> str:
    return f"network interface {found.id} '{found.description}'" if found.description else f"network interface {found.id}"


def in_subnet(ec2: Any, subnet: str) -> list[str]:
    return [interface(found) for found in ec2.enis.values() if found.subnet.id == subnet]


def with_group(ec2: Any, group: Any) -> list[str]:
    names = [interface(found) for found in ec2.enis.values() if group in found.group_set]
    for groups in ec2.groups.values():
        for other in groups.values():
            if other.id != group.id and _refers(other, group.id):
                names.append(f"a rule of security group {other.id}")
    return names


def _refers(group: Any, wanted: str) -> bool:
    for rule in [*group.ingress_rules, *group.egress_rules]:
        if rule.source_group and rule.source_group.get("GroupId") == wanted:
            return True
    return False
