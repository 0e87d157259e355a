"""Access entries and the access policies on them: who may talk to a cluster's Kubernetes API, as whom."""

from __future__ import annotations

import re
from typing import Any

from .. import backends
from ..call import Call, Principal
from ..clock import now
from ..errors import AwsError
from ..hooks import handles
from ..modes import entries
from ..sandbox import Sandbox
from . import roles, state, versions
from .state import AccessEntry, Cluster

KINDS = ("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX")


def admit_creator(cluster: Cluster, principal: Principal) -> None:
    """bootstrapClusterCreatorAdminPermissions."""
    arn = principal.arn
    if principal.role:
        arn = next((role.arn for role in backends.iam().get_roles() if role.name == principal.role), arn)
    entry = _new_entry(cluster, arn, {})
    _associate(entry, versions.access_policy_arn("AmazonEKSClusterAdminPolicy"), {"type": "cluster", "namespaces": []})


def admit_nodes(cluster: Cluster, role: str) -> None:
    """A managed node group makes the entry of its own role."""
    if role not in cluster.entries and cluster.mode != "CONFIG_MAP":
        _new_entry(cluster, role, {"type": "EC2_LINUX", "kubernetesGroups": ["system:nodes"]})


@handles("eks", "CreateAccessEntry")
def create_access_entry(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster = _cluster(call)
    arn = call.params["principalArn"]
    token = call.params.get("clientRequestToken")
    if existing := cluster.entries.get(arn):
        if token and existing.token == token:
            return {"accessEntry": shown(cluster, existing)}
        raise AwsError(
            "ResourceInUseException", "The specified access entry resource is already in use on this cluster."
        )
    for group in call.params.get("kubernetesGroups", []):
        if group.startswith("system:"):
            message = f"The kubernetes group name {group} is invalid, it cannot start with system:"
            raise AwsError("InvalidParameterException", message)
    entry = _new_entry(cluster, arn, call.params)
    entries.delay(sandbox, entry)
    return {"accessEntry": shown(cluster, entry)}


@handles("eks", "DescribeAccessEntry")
def describe_access_entry(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    return {"accessEntry": shown(_cluster(call), _entry(call))}


@handles("eks", "ListAccessEntries")
def list_access_entries(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    policy = call.params.get("associatedPolicyArn")
    there = _cluster(call).entries.values()
    arns = [entry.principal for entry in there if policy is None or policy in entry.policies]
    arns, token = state.page(arns, call.params)
    return {"accessEntries": arns, "nextToken": token}


@handles("eks", "UpdateAccessEntry")
def update_access_entry(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    entry = _entry(call)
    if "kubernetesGroups" in call.params:
        entry.groups = list(call.params["kubernetesGroups"])
    if "username" in call.params:
        entry.username = call.params["username"]
    entry.modified = now()
    return {"accessEntry": shown(_cluster(call), entry)}


@handles("eks", "DeleteAccessEntry")
def delete_access_entry(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    del _cluster(call).entries[_entry(call).principal]
    return {}


@handles("eks", "AssociateAccessPolicy")
def associate_access_policy(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    entry, policy, scope = _entry(call), call.params["policyArn"], call.params["accessScope"]
    if policy not in map(versions.access_policy_arn, versions.ACCESS_POLICIES):
        raise AwsError("InvalidParameterException", f"The specified policyArn is invalid: {policy}")
    if entry.kind != "STANDARD":
        message = 'This operation can only be performed on Access Entries with a type of "STANDARD".'
        raise AwsError("InvalidParameterException", message)
    scope = {"type": scope.get("type", "cluster"), "namespaces": scope.get("namespaces", [])}
    if scope["type"] == "namespace" and not scope["namespaces"]:
        raise AwsError("InvalidParameterException", "A namespace access scope names at least one namespace.")
    _associate(entry, policy, scope)
    return {
        "clusterName": call.params["clusterName"],
        "principalArn": entry.principal,
        "associatedAccessPolicy": entry.policies[policy],
    }


@handles("eks", "ListAssociatedAccessPolicies")
def list_associated_access_policies(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    entry = _entry(call)
    arns, token = state.page(list(entry.policies), call.params)
    return {
        "clusterName": call.params["clusterName"],
        "principalArn": entry.principal,
        "associatedAccessPolicies": [entry.policies[arn] for arn in arns],
        "nextToken": token,
    }


@handles("eks", "DisassociateAccessPolicy")
def disassociate_access_policy(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    if _entry(call).policies.pop(call.params["policyArn"], None) is None:
        raise AwsError("ResourceNotFoundException", "The specified policyArn is not associated with the access entry.")
    return {}


def principal_id(arn: str) -> str | None:
    """IAM's own id of a user or role: what an entry is bound to. The root user's is the account's."""
    if arn == f"arn:aws:iam::{backends.ACCOUNT}:root":
        return backends.ACCOUNT
    if role := roles.find(arn):
        return role.id
    return next((user.id for user in backends.iam().users.values() if user.arn == arn), None)


def _cluster(call: Call) -> Cluster:
    cluster = state.cluster(call.region, call.params["clusterName"])
    if cluster.mode == "CONFIG_MAP":
        raise AwsError(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
            "operation.",
        )
    return cluster


def _entry(call: Call) -> AccessEntry:
    entry = _cluster(call).entries.get(call.params["principalArn"])
    if entry is None:
        message = (
            "The specified principalArn could not be found. You can view your available access entries with "
            "'list-access-entries'."
        )
        raise AwsError("ResourceNotFoundException", message)
    return entry


def _new_entry(cluster: Cluster, arn: str, params: dict[str, Any]) -> AccessEntry:
    matched = re.fullmatch(r"arn:aws:iam::\d{12}:(user|role|root)(?:/(.+))?", arn)
    identifier = principal_id(arn) if matched else None
    if matched is None or identifier is None:
        message = "The specified principalArn is invalid: invalid principal."
        raise AwsError("InvalidParameterException", message)
    kind = params.get("type", "STANDARD")
    if kind not in KINDS:
        raise AwsError("InvalidParameterException", f"The specified type is invalid: {kind}")
    what, path = matched.groups()
    name = (path or what).rsplit("/", 1)[-1]
    username = f"arn:aws:sts::{backends.ACCOUNT}:assumed-role/{name}/{{{{SessionName}}}}" if what == "role" else arn
    if kind != "STANDARD":
        username = "system:node:{{EC2PrivateDNSName}}"
    entry = AccessEntry(
        principal=arn,
        principal_id=identifier,
        arn=state.arn(
            cluster.region,
            f"access-entry/{cluster.name}/{what}/{backends.ACCOUNT}/{name}/{state.new_id(16).lower()}",
        ),
        token=params.get("clientRequestToken"),
        username=params.get("username") or username,
        groups=list(params.get("kubernetesGroups", [])),
        kind=kind,
        tags=dict(params.get("tags", {})),
    )
    cluster.entries[arn] = entry
    return entry


def _associate(entry: AccessEntry, policy: str, scope: dict[str, Any]) -> None:
    before = entry.policies.get(policy, {})
    associated = before.get("associatedAt", now())
    entry.policies[policy] = {
        "policyArn": policy,
        "accessScope": scope,
        "associatedAt": associated,
        "modifiedAt": now(),
    }


def shown(cluster: Cluster, entry: AccessEntry) -> dict[str, Any]:
    return {
        "clusterName": cluster.name,
        "principalArn": entry.principal,
        "kubernetesGroups": entry.groups,
        "accessEntryArn": entry.arn,
        "createdAt": entry.created,
        "modifiedAt": entry.modified,
        "tags": entry.tags,
        "username": entry.username,
        "type": entry.kind,
    }
