"""Eventual consistency. What was made is hidden from every read for a while, and from every call that names it.

The call that makes something answers as usual, and a name that is taken is taken: services write in one place, and only
what they show comes from another (EC2 developer guide, "Eventual consistency"; IAM user guide, "Changes that I make are
not always immediately visible"). Changes of what is shown already are seen at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import backends
from ..call import Call
from ..eks import state
from ..sandbox import Sandbox
from .kinds import VisibilityDelay

SERVICES = ("ec2", "iam", "eks", "resourcegroupstaggingapi")
# What a call may name it by.
NAMES = ("id", "name", "arn", "allocation_id")

# Where its keys are unique, the noun after "Create" in small letters, and a dict or list.
Container = tuple[str, str, Any]


@contextmanager
def hidden(sandbox: Sandbox, call: Call) -> Iterator[None]:
    """To be entered under the lock; within it, the backends are as this call sees them."""
    mode = sandbox.modes.one(VisibilityDelay)
    if mode is None or call.service not in SERVICES:
        yield
        return
    _note(mode, sandbox, call.region)
    restore = list(_hide(mode, sandbox, call))
    try:
        yield
    finally:
        for back in restore:
            back()
        _note(mode, sandbox, call.region)


def _containers(region: str) -> Iterator[Container]:
    ec2, iam = backends.ec2(region), backends.iam()
    yield region, "vpc", ec2.vpcs
    yield from ((region, "subnet", there) for there in ec2.subnets.values())
    yield from ((region, "securitygroup", groups) for groups in ec2.groups.values())
    yield region, "internetgateway", ec2.internet_gateways
    yield region, "routetable", ec2.route_tables
    yield region, "networkacl", ec2.network_acls
    yield region, "natgateway", ec2.nat_gateways
    yield region, "address", ec2.addresses
    yield region, "vpcendpoint", ec2.vpc_end_points
    yield region, "networkinterface", ec2.enis
    for parts in (ec2.launch_templates, ec2.launch_template_name_to_ids, ec2.launch_template_insert_order):
        yield region, "launchtemplate", parts
    yield "", "role", iam.roles
    yield "", "policy", iam.managed_policies
    yield "", "instanceprofile", iam.instance_profiles
    yield "", "openidconnectprovider", iam.open_id_providers
    yield "", "cluster", state.clusters
    for cluster in list(state.clusters.values()):
        yield cluster.arn, "nodegroup", cluster.nodegroups
        yield cluster.arn, "addon", cluster.addons
        yield cluster.arn, "accessentry", cluster.entries


def _note(mode: VisibilityDelay, sandbox: Sandbox, region: str) -> None:
    """What appears is made now; what is there at the first look was there before the mode."""
    there = {(scope, noun, key) for scope, noun, container in _containers(region) for key in _keys(container)}
    # A name that is used again is made again.
    mode.born = {thing: born for thing, born in mode.born.items() if thing in there or thing[0] in mode.regions - {region}}
    moment, before = sandbox.clock.time(), float("-inf")
    for thing in there:
        first_look = not mode.regions or (thing[0] == region and region not in mode.regions)
        mode.born.setdefault(thing, before if first_look else moment)
    mode.regions.add(region)


def _hide(mode: VisibilityDelay, sandbox: Sandbox, call: Call) -> Iterator[Callable[[], None]]:
    oldest = sandbox.clock.time() - mode.seconds
    named = set(_texts(call.params)) if call.mutating else None
    own = call.operation.removeprefix("Create").lower() if call.operation.startswith("Create") else ""
    for scope, noun, container in list(_containers(call.region)):
        young = {key for key in _keys(container) if mode.born[scope, noun, key] > oldest}
        if named is not None:
            young = {key for key in young if noun != own and named & set(_names(container, key))}
        if young:
            yield _without(container, young)


def _keys(container: Any) -> list[Any]:
    if isinstance(container, dict):
        return list(container)
    return [getattr(entry, "allocation_id", entry) for entry in container]


def _names(container: Any, key: Any) -> Iterator[str]:
    """All that a call may mean it by."""
    if isinstance(key, str):
        yield key  # of a list, too: an address's allocation, a template's id
    found = container.get(key) if isinstance(container, dict) else None
    if isinstance(found, str):
        yield found
    yield from (name for name in (getattr(found, attribute, None) for attribute in NAMES) if isinstance(name, str))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)


def _without(container: Any, keys: set[Any]) -> Callable[[], None]:
    """Takes them out; the answer puts them back where they were."""
    if isinstance(container, list):
        everything = list(container)
        out = [entry for entry in everything if getattr(entry, "allocation_id", entry) in keys]
        container[:] = [entry for entry in everything if entry not in out]

        def back_in_list() -> None:
            new = [entry for entry in container if entry not in everything]
            container[:] = [entry for entry in everything if entry in out or entry in container] + new

        return back_in_list
    before = dict(container)
    for key in keys:
        del container[key]

    def back() -> None:
        now = dict(container)
        container.clear()
        container.update({key: now.get(key, entry) for key, entry in before.items() if key in now or key in keys})
        container.update({key: entry for key, entry in now.items() if key not in before})

    return back
