"""Rules of security groups: EC2 names the one that is there already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox


@before("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def check_new(sandbox: Sandbox, call: Call) -> None:
    group = backends.ec2(call.region).get_security_group_from_id(call.params.get("GroupId", ""))
    if group is None:
        return
    rules = group.ingress_rules if call.operation.endswith("Ingress") else group.egress_rules
    there = {(_ports(rule.ip_protocol, rule.from_port, rule.to_port), peer) for rule in rules for peer in _peers_of(rule)}
    for asked in call.params.get("IpPermissions", []):
        ports = _ports(asked.get("IpProtocol"), asked.get("FromPort"), asked.get("ToPort"))
        for peer in _peers(asked):
            if (ports, peer) in there:
                message = f'the specified rule "peer: {peer}, {_told(ports)}, ALLOW" already exists'
                raise AwsError("InvalidPermission.Duplicate", message)


def _ports(protocol: Any, first: Any, last: Any) -> tuple[str, str, str]:
    if str(protocol) == "-1":
        return "-1", "", ""
    return str(protocol), str(first), str(last)


def _told(ports: tuple[str, str, str]) -> str:
    protocol, first, last = ports
    return "ALL" if protocol == "-1" else f"{protocol.upper()}, from port: {first}, to port: {last}"


def _peers(asked: dict[str, Any]) -> Iterator[str]:
    yield from (found["CidrIp"] for found in asked.get("IpRanges", []))
    yield from (found["CidrIpv6"] for found in asked.get("Ipv6Ranges", []))
    yield from (found["GroupId"] for found in asked.get("UserIdGroupPairs", []) if "GroupId" in found)


def _peers_of(rule: Any) -> Iterator[str]:
    if rule.ip_range:
        yield rule.ip_range.get("CidrIp") or rule.ip_range.get("CidrIpv6") or ""
    if rule.source_group:
        yield rule.source_group.get("GroupId", "")
