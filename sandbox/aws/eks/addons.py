"""Add-ons: recorded here, run by the world. One that cannot run for lack of nodes is CREATING, then DEGRADED."""

from __future__ import annotations

import time
from typing import Any

from .. import backends
from ..call import Call
from ..clock import now
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox
from . import addon_configuration, state, updates, versions, work
from .state import Addon, Cluster, Issue

CREATING = 25  # AWS seconds; seen: 15-55
DELETING = 20
DEGRADED_AFTER = 300
NAMESPACE = "kube-system"
LOOK = 0.5  # real seconds: what is looked at is real


@handles("eks", "CreateAddon")
def create_addon(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    params = call.params
    cluster = state.active_cluster(call.region, params["clusterName"])
    name, token = params["addonName"], params.get("clientRequestToken")
    version = versions.addon_version(name, params.get("addonVersion"), cluster.name)
    if existing := cluster.addons.get(name):
        if token and existing.token == token:
            return {"addon": shown(cluster, existing)}
        raise AwsError("ResourceInUseException", "Addon already exists.", clusterName=cluster.name, addonName=name)
    configuration = addon_configuration.read(name, params.get("configurationValues"))
    addon = Addon(
        name=name,
        arn=state.arn(call.region, f"addon/{cluster.name}/{name}/{state.new_id(32).lower()}"),
        token=token,
        version=version,
        configuration=params.get("configurationValues"),
        role=params.get("serviceAccountRoleArn"),
        tags=dict(params.get("tags", {})),
    )
    cluster.addons[name] = addon
    due = sandbox.clock.due(CREATING)

    def create() -> None:
        sandbox.world.apply_addon(cluster.name, name, version, configuration)
        sandbox.clock.wait(due)
        _watch(sandbox, cluster, addon)

    def failed(why: str) -> None:
        with backends.LOCK:
            addon.status = "CREATE_FAILED"
            addon.issues = [Issue("ConfigurationConflict", why, [name])]

    work.begin(f"create add-on {name}", create, failed)
    return {"addon": shown(cluster, addon)}


def _watch(sandbox: Sandbox, cluster: Cluster, addon: Addon) -> None:
    """Until it runs: ACTIVE. Meanwhile it may become DEGRADED, and recover."""
    degraded = sandbox.clock.due(DEGRADED_AFTER)
    while True:
        healthy, why = sandbox.world.addon_health(cluster.name, addon.name)
        with backends.LOCK:
            if addon.status not in ("CREATING", "DEGRADED") or cluster.addons.get(addon.name) is not addon:
                return
            if healthy:
                addon.status, addon.issues = "ACTIVE", []
                sandbox.timeline.note("addon", addon.name, addon.status)
                return
            if sandbox.clock.reached(degraded):
                addon.status = "DEGRADED"
                message = f"The add-on is unhealthy because it doesn't have the desired number of replicas. {why}"
                addon.issues = [Issue("InsufficientNumberOfReplicas", message)]
        time.sleep(LOOK)


@handles("eks", "DescribeAddon")
def describe_addon(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster = state.cluster(call.region, call.params["clusterName"])
    return {"addon": shown(cluster, state.addon(call.region, cluster.name, call.params["addonName"]))}


@handles("eks", "ListAddons")
def list_addons(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    names, token = state.page(list(state.cluster(call.region, call.params["clusterName"]).addons), call.params)
    return {"addons": names, "nextToken": token}


@handles("eks", "UpdateAddon")
def update_addon(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    params = call.params
    cluster = state.active_cluster(call.region, params["clusterName"])
    addon = state.addon(call.region, cluster.name, params["addonName"])
    if addon.status not in ("ACTIVE", "DEGRADED", "UPDATE_FAILED", "CREATE_FAILED"):
        message = f"Addon {addon.name} cannot be updated while it is {addon.status}"
        raise AwsError("ResourceInUseException", message, clusterName=cluster.name, addonName=addon.name)
    version = versions.addon_version(addon.name, params.get("addonVersion", addon.version), cluster.name)
    text = params.get("configurationValues", addon.configuration)
    configuration = addon_configuration.read(addon.name, text)
    addon.status = "UPDATING"

    def done() -> None:
        addon.version, addon.configuration, addon.modified = version, text, now()
        addon.role = params.get("serviceAccountRoleArn", addon.role)
        addon.status = "CREATING"  # for _watch, which follows
        work.begin(f"watch add-on {addon.name}", lambda: _watch(sandbox, cluster, addon), lambda why: None)

    shown_params = [("AddonVersion", version), ("ConfigurationValues", text or "")]
    return updates.begin(
        sandbox,
        addon.updates,
        "AddonUpdate",
        shown_params,
        CREATING,
        done,
        lambda: sandbox.world.apply_addon(cluster.name, addon.name, version, configuration),
    )


@handles("eks", "DeleteAddon")
def delete_addon(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster = state.cluster(call.region, call.params["clusterName"])
    addon = state.addon(call.region, cluster.name, call.params["addonName"])
    if addon.status == "DELETING":
        return {"addon": shown(cluster, addon)}
    addon.status = "DELETING"
    due = sandbox.clock.due(DELETING)

    def delete() -> None:
        if not call.params.get("preserve"):
            sandbox.world.delete_addon(cluster.name, addon.name)
        sandbox.clock.wait(due)
        with backends.LOCK:
            cluster.addons.pop(addon.name, None)
            sandbox.timeline.note("addon", addon.name, "gone")

    def failed(why: str) -> None:
        with backends.LOCK:
            addon.status = "DELETE_FAILED"
            addon.issues = [Issue("InternalFailure", why)]

    work.begin(f"delete add-on {addon.name}", delete, failed)
    return {"addon": shown(cluster, addon)}


def forget(cluster: Cluster) -> None:
    """With the cluster, its add-ons go; those being watched notice it."""
    for addon in cluster.addons.values():
        addon.status = "DELETING"


def shown(cluster: Cluster, addon: Addon) -> dict[str, Any]:
    return {
        "addonName": addon.name,
        "clusterName": cluster.name,
        "status": addon.status,
        "addonVersion": addon.version,
        "health": {"issues": [issue.shown() for issue in addon.issues]},
        "addonArn": addon.arn,
        "createdAt": addon.created,
        "modifiedAt": addon.modified,
        "serviceAccountRoleArn": addon.role,
        "tags": addon.tags,
        "configurationValues": addon.configuration,
        "podIdentityAssociations": [],
        "namespaceConfig": {"namespace": NAMESPACE},
    }
