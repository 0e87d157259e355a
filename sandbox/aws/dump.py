"""Everything that exists, as canonical JSON: what a test compares before and after.

Left out is what AWS shows of things that are gone (terminal states), sessions (they are no resources), what moto ships
(AWS's own policies, images, prefix lists) and what only looking changes (when a key was last used).
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import json
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.utilities.tagging_service import TaggingService

from . import backends
from .ecr.registry import Registry
from .eks import state
from .sandbox import Sandbox

# Attributes by name, wherever they are: back references, caches, and what a look changes.
NEVER = {
    "ec2_backend",
    "backend",
    "last_used",
    "role_last_used",
    "instances_tracked",
    "due",
    "route_table",
    "secret_access_key",
    "filters",
}
# Top-level parts of backends that AWS or moto owns, or that are not resources.
SHIPPED = {
    "ec2": {"amis", "snapshots", "managed_prefix_lists", "tags", "launch_template_insert_order"},
    "iam": {"aws_managed_policies", "account_summary"},
    "ecr": {"registry_scanning_configuration"},
    "sts": {"assumed_roles"},
}
# Named, not spelled out, inside another resource: each is listed where it lives.
NAMED = {"AWSManagedPolicy", "Instance", "InternetGateway", "ManagedPolicy", "NatGateway", "NetworkInterface", "Role"}
NAMED |= {"SecurityGroup", "Subnet", "VPC", "Zone"}
OTHERS = ("account", "eks", "instance_metadata", "moto_api")
GONE = {"deleted", "failed", "terminated"}


# What a region's EC2 has before anybody used it (a default VPC and its parts), by region.
_pristine: dict[str, dict[str, Any]] = {}


def remember(region: str) -> None:
    """To be called before a region is first used: moto makes its default VPC only then."""
    if region not in _pristine:
        _pristine[region] = _backend("ec2", backends.ec2(region))


def dump(sandbox: Sandbox) -> dict[str, Any]:
    with backends.LOCK:
        sandbox.settle()
        found = {}
        for service, region, backend in _backends():
            content = _backend(service, backend)
            if service == "ec2":
                content = _beyond(_pristine.get(region, {}), content)
            if content:
                found[f"{service}/{region}"] = content
        found["eks"] = {f"{region}/{name}": _plain(cluster, ()) for (region, name), cluster in state.clusters.items()}
        repositories = [name for ecr in backends.all_ecr() for name in ecr.repositories]
    registry = Registry(sandbox.world)
    found["registry"] = {
        name: {image.digest: sorted(image.tags) for image in registry.images(name)} for name in repositories
    }
    return json.loads(json.dumps(found, sort_keys=True, default=str))


def _beyond(pristine: Any, content: Any) -> Any:
    """What is not as it was at first."""
    if not isinstance(content, dict) or not isinstance(pristine, dict):
        return content
    return {key: _beyond(pristine.get(key), value) for key, value in content.items() if value != pristine.get(key)}


def _backends() -> list[tuple[str, str, BaseBackend]]:
    found = [
        (instance.service_name, region, backend)
        for instance in BackendDict._instances
        if instance.service_name not in OTHERS and backends.ACCOUNT in instance
        for region, backend in dict(instance[backends.ACCOUNT]).items()
        if not region.startswith("aws-")  # partitions that nobody uses
    ]
    return sorted(found, key=lambda entry: entry[:2])


def _backend(service: str, backend: BaseBackend) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in vars(backend).items():
        if name in SHIPPED.get(service, ()) or name.startswith("_") or isinstance(value, str):
            continue
        if isinstance(value, TaggingService):
            value = {thing: tags for thing, tags in value.tags.items() if tags}
        elif service == "iam" and name == "access_keys":
            value = {key: found for key, found in value.items() if found.user_name}  # the others are of sessions
        elif service == "iam" and name == "managed_policies":
            value = {arn: policy for arn, policy in value.items() if not arn.startswith("arn:aws:iam::aws:")}
        elif service == "kms" and name == "keys":
            value = {key: found for key, found in value.items() if not _is_aws_managed(found)}
        content[name] = _plain(value, ())
    if service == "ec2":
        content["tags"] = _live_tags(backend, content)
    return {name: value for name, value in content.items() if value}


def _is_aws_managed(key: Any) -> bool:
    """AWS makes alias/aws/ebs and the like by itself when they are first needed, and keeps them; they cost nothing."""
    return any(alias.startswith("alias/aws/") for alias in key.aliases)


def _live_tags(backend: Any, content: dict[str, Any]) -> dict[str, Any]:
    """moto keeps the tags of what is gone."""
    text = json.dumps(content, default=str)
    return {thing: dict(tags) for thing, tags in backend.tags.items() if tags and f'"{thing}"' in text}


def _plain(value: Any, path: tuple[int, ...], inside: bool = False) -> Any:
    """JSON of it; None for what is no data. `inside` another resource, and within itself, an object is only named."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if id(value) in path or (inside and type(value).__name__ in NAMED):
        return getattr(value, "arn", None) or getattr(value, "id", None) or getattr(value, "name", type(value).__name__)
    path = (*path, id(value))
    if isinstance(value, dict):
        entries = {str(key): _plain(entry, path, inside) for key, entry in value.items() if not _is_gone(entry)}
        return {key: entry for key, entry in entries.items() if entry not in (None, {}, [])}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry, path, inside) for entry in value if not _is_gone(entry)]
    if isinstance(value, BaseBackend) or not type(value).__module__.startswith(("moto.", "aws.")):
        return str(value) if type(value).__module__ == "ipaddress" else None
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        inside = type(value).__name__ != "Reservation"
        fields = {name: entry for name, entry in vars(value).items() if name not in NEVER and not _is_gone(entry)}
        return {name: plain for name, entry in fields.items() if (plain := _plain(entry, path, inside)) is not None}
    return None


def _is_gone(value: Any) -> bool:
    """A ghost: AWS still shows it for a while, in a state that it never leaves."""
    if isinstance(value, BaseBackend):
        return True
    found = getattr(value, "state", None)
    if type(value).__name__ == "Reservation":
        return all(_is_gone(instance) for instance in value.instances)
    return type(value).__name__ in ("Instance", "NatGateway", "VPCEndPoint") and found in GONE
