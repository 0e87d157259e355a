"""What EKS remembers. Everything here is read and written under backends.LOCK."""

from __future__ import annotations

import datetime
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import backends
from ..clock import now
from ..errors import AwsError
from ..world import ClusterHandle, NodeSpec


@dataclass
class Issue:
    code: str
    message: str
    resource_ids: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "resourceIds": self.resource_ids}


@dataclass
class Update:
    kind: str
    params: list[dict[str, str]]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    errors: list[dict[str, Any]] = field(default_factory=list)
    created: datetime.datetime = field(default_factory=now)

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": self.status,
            "type": self.kind,
            "params": self.params,
            "createdAt": self.created,
            "errors": self.errors,
        }


@dataclass
class Nodegroup:
    name: str
    arn: str
    token: str | None
    spec: dict[str, Any]  # as shown: scalingConfig, instanceTypes, subnets, labels, ...
    tags: dict[str, str]
    group: str  # the auto scaling group's name
    profile: str  # the instance profile that EKS makes
    template: dict[str, str]  # of the launch template: id, version; empty without one
    status: str = "CREATING"
    issues: list[Issue] = field(default_factory=list)
    nodes: list[NodeSpec] = field(default_factory=list)
    updates: dict[str, Update] = field(default_factory=dict)
    created: datetime.datetime = field(default_factory=now)
    modified: datetime.datetime = field(default_factory=now)


@dataclass
class Addon:
    name: str
    arn: str
    token: str | None
    version: str
    configuration: str | None
    role: str | None
    tags: dict[str, str]
    status: str = "CREATING"
    issues: list[Issue] = field(default_factory=list)
    updates: dict[str, Update] = field(default_factory=dict)
    created: datetime.datetime = field(default_factory=now)
    modified: datetime.datetime = field(default_factory=now)


@dataclass
class AccessEntry:
    principal: str
    principal_id: str  # IAM's own id: a role made anew under the same ARN is another
    arn: str
    token: str | None
    username: str
    groups: list[str]
    kind: str
    tags: dict[str, str]
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    admits: Callable[[], bool] = lambda: True  # whether the API server knows of it already
    created: datetime.datetime = field(default_factory=now)
    modified: datetime.datetime = field(default_factory=now)


@dataclass
class Cluster:
    name: str
    region: str
    arn: str
    token: str | None
    version: str
    role: str
    vpc: str
    subnets: list[str]
    security_groups: list[str]
    public: bool
    private: bool
    public_cidrs: list[str]
    service_cidr: str
    logging: dict[str, bool]
    mode: str  # authenticationMode
    self_managed_addons: bool
    support: str
    deletion_protection: bool
    issuer: str
    tags: dict[str, str]
    encryption: list[dict[str, Any]] | None = None
    status: str = "CREATING"
    issues: list[Issue] = field(default_factory=list)
    handle: ClusterHandle | None = None
    security_group: str | None = None
    interfaces: list[str] = field(default_factory=list)
    nodegroups: dict[str, Nodegroup] = field(default_factory=dict)
    addons: dict[str, Addon] = field(default_factory=dict)
    entries: dict[str, AccessEntry] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)
    created: datetime.datetime = field(default_factory=now)


# By region and name.
clusters: dict[tuple[str, str], Cluster] = {}


def cluster(region: str, name: str) -> Cluster:
    found = clusters.get((region, name))
    if found is None:
        raise AwsError("ResourceNotFoundException", f"No cluster found for name: {name}.", clusterName=name)
    return found


def active_cluster(region: str, name: str) -> Cluster:
    found = cluster(region, name)
    if found.status not in ("ACTIVE", "UPDATING"):
        raise AwsError(
            "InvalidRequestException",
            f"Cluster '{name}' is not in ACTIVE status; it is {found.status}.",
            clusterName=name,
        )
    return found


def nodegroup(region: str, name: str, group: str) -> Nodegroup:
    found = cluster(region, name).nodegroups.get(group)
    if found is None:
        raise AwsError(
            "ResourceNotFoundException",
            f"No node group found for name: {group}.",
            clusterName=name,
            nodegroupName=group,
        )
    return found


def addon(region: str, name: str, addon_name: str) -> Addon:
    found = cluster(region, name).addons.get(addon_name)
    if found is None:
        raise AwsError(
            "ResourceNotFoundException", f"No addon: {addon_name} found in cluster: {name}", clusterName=name
        )
    return found


def arn(region: str, path: str) -> str:
    return f"arn:aws:eks:{region}:{backends.ACCOUNT}:{path}"


def new_id(length: int = 32) -> str:
    return secrets.token_hex(length // 2).upper()


def page(names: list[str], params: dict[str, Any]) -> tuple[list[str], str | None]:
    """One page of sorted names; the token is the last name of the page before."""
    names = sorted(names)
    start = params.get("nextToken")
    if start:
        names = [name for name in names if name > start]
    limit = int(params.get("maxResults") or 100)
    return names[:limit], names[limit - 1] if len(names) > limit else None
