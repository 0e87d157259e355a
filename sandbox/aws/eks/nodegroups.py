"""Managed node groups: checked, launched, joined or failed with the reason, and ended."""

from __future__ import annotations

import time
import uuid
from typing import Any

from .. import backends
from ..call import Call
from ..clock import now
from ..errors import AwsError
from ..hooks import handles
from ..modes import nodes as modes
from ..quotas import vcpus
from ..sandbox import Sandbox
from . import access, joining, nodegroup_request, nodes, state, updates, versions, work
from .state import Cluster, Issue, Nodegroup

# AWS seconds, as seen in public logs: created in about 110, deleted in 180-250.
LAUNCHING = 25
CREATING = 110
DELETING = 180
UPDATING = 30
GIVES_UP = 1200
# EKS tells of instances that EC2 refuses after 12 min (klotho#311).
NO_LAUNCH = 720
NO_ACCESS = (
    "Amazon EKS or one or more of your managed nodes is failing to authenticate or authorize with your Kubernetes cluster API server."
)
# Real nodes start in real time: at high speeds EKS would give up before a kubelet has had its chance.
PATIENCE = 180.0
LOOK = 0.3


@handles("eks", "CreateNodegroup")
def create_nodegroup(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster = state.active_cluster(call.region, call.params["clusterName"])
    name, token = call.params["nodegroupName"], call.params.get("clientRequestToken")
    if existing := cluster.nodegroups.get(name):
        if token and existing.token == token:
            return {"nodegroup": shown(cluster, existing)}
        message = f"NodeGroup already exists with name {name} and cluster name {cluster.name}"
        raise AwsError("ResourceInUseException", message, clusterName=cluster.name, nodegroupName=name)
    spec, template = nodegroup_request.read(call, cluster)
    group = Nodegroup(
        name=name,
        arn=state.arn(call.region, f"nodegroup/{cluster.name}/{name}/{uuid.uuid4()}"),
        token=token,
        spec=spec,
        tags=dict(call.params.get("tags", {})),
        group=f"eks-{name}-{uuid.uuid4()}",
        profile=f"eks-{uuid.uuid4()}",
        template=template,
    )
    cluster.nodegroups[name] = group
    _create_profile(group)
    access.admit_nodes(cluster, spec["nodeRole"])
    launching, due, no_launch = (sandbox.clock.due(seconds) for seconds in (LAUNCHING, CREATING, NO_LAUNCH))

    def create() -> None:
        sandbox.clock.wait(launching)
        if why := _launch_refused(sandbox, cluster, group):
            sandbox.clock.wait(no_launch)
            dummies = [f"DUMMY_{uuid.uuid4()}" for _ in range(spec["scalingConfig"]["desiredSize"])]
            with backends.LOCK:
                group.status = "CREATE_FAILED"
                group.issues = [
                    Issue("AsgInstanceLaunchFailures", why, [group.group]),
                    Issue("NodeCreationFailure", "Instances failed to join the kubernetes cluster", dummies),
                ]
            return
        _scale(sandbox, cluster, group)
        issues = _join(sandbox, cluster, group)
        sandbox.clock.wait(due)
        with backends.LOCK:
            if group.status == "CREATING":
                group.status, group.issues = ("CREATE_FAILED", issues) if issues else ("ACTIVE", [])
            sandbox.timeline.note("node-group", name, group.status)

    def failed(why: str) -> None:
        with backends.LOCK:
            group.status = "CREATE_FAILED"
            group.issues = [Issue("InternalFailure", why, [name])]

    work.begin(f"create node group {name}", create, failed)
    return {"nodegroup": shown(cluster, group)}


def _launch_refused(sandbox: Sandbox, cluster: Cluster, group: Nodegroup) -> str | None:
    with backends.LOCK:
        kind = nodes.instance_type(group, nodes.template_data(cluster.region, group.template))
        if why := modes.no_capacity(sandbox, cluster.region, group.spec["subnets"], kind):
            return why
        return vcpus.refusal(sandbox, cluster.region, kind, group.spec["scalingConfig"]["desiredSize"] - len(group.nodes))


def _scale(sandbox: Sandbox, cluster: Cluster, group: Nodegroup) -> None:
    """Up or down to desiredSize. Nodes start only where they could join; instances start all the same."""
    wanted = group.spec["scalingConfig"]["desiredSize"]
    with backends.LOCK:
        surplus = list(group.nodes[wanted:])
    for node in surplus:
        sandbox.world.stop_node(cluster.name, node.instance_id)
        with backends.LOCK:
            nodes.terminate(sandbox, cluster, group, node)
    with backends.LOCK:
        new = [nodes.launch(sandbox, cluster, group) for _ in range(wanted - len(group.nodes))]
        blocked = _obstacles(sandbox, cluster, group)
    for node in new if not blocked else []:
        sandbox.world.start_node(cluster.name, node)


def _join(sandbox: Sandbox, cluster: Cluster, group: Nodegroup) -> list[Issue]:
    """Waits for Ready; returns why it never came. What was missing at first may still come, as on AWS."""
    started = {node.instance_id for node in group.nodes} if not _obstacles(sandbox, cluster, group) else set()
    gives_up, patience = sandbox.clock.due(modes.gives_up(sandbox, GIVES_UP)), time.monotonic() + PATIENCE
    while True:
        issues = _obstacles(sandbox, cluster, group)
        if not issues:
            for node in [node for node in group.nodes if node.instance_id not in started]:
                sandbox.world.start_node(cluster.name, node)
                started.add(node.instance_id)
            looks = {node.instance_id: sandbox.world.node_ready(cluster.name, node.instance_id) for node in group.nodes}
            late = {instance: why for instance, (ready, why) in looks.items() if not ready}
            if not late:
                return []
            message = f"Instances failed to join the kubernetes cluster: {'; '.join(sorted(set(late.values())))}"
            issues = [Issue("NodeCreationFailure", message, list(late))]
        trying = bool(started) and time.monotonic() < patience
        if group.status == "DELETING" or (sandbox.clock.reached(gives_up) and not trying):
            return issues
        time.sleep(LOOK)


def _obstacles(sandbox: Sandbox, cluster: Cluster, group: Nodegroup) -> list[Issue]:
    with backends.LOCK:
        if modes.never_join(sandbox):
            instances = [node.instance_id for node in group.nodes]
            return [Issue("NodeCreationFailure", "Instances failed to join the kubernetes cluster", instances)]
        return joining.obstacles(cluster, group)


@handles("eks", "DescribeNodegroup")
def describe_nodegroup(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster, group = _find(call)
    found = shown(cluster, group)
    if _is_degraded(sandbox, group):
        instances = [node.instance_id for node in group.nodes]
        found |= {"status": "DEGRADED", "health": {"issues": [Issue("AccessDenied", NO_ACCESS, instances).shown()]}}
    return {"nodegroup": found}


@handles("eks", "ListNodegroups")
def list_nodegroups(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    groups = state.cluster(call.region, call.params["clusterName"]).nodegroups
    names, token = state.page(list(groups), call.params)
    return {"nodegroups": names, "nextToken": token}


@handles("eks", "UpdateNodegroupConfig")
def update_nodegroup_config(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster, group = _find(call)
    _check_idle(sandbox, cluster, group)
    spec, params = nodegroup_request.change(call, group)
    group.status = "UPDATING"

    def scale() -> None:
        group.spec = spec
        _scale(sandbox, cluster, group)
        if issues := _join(sandbox, cluster, group):
            raise RuntimeError(issues[0].message)

    def done() -> None:
        group.status, group.modified = "ACTIVE", now()
        sandbox.timeline.note("node-group", group.name, group.status)

    return updates.begin(sandbox, group.updates, "ConfigUpdate", params, UPDATING, done, scale)


@handles("eks", "UpdateNodegroupVersion")
def update_nodegroup_version(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """A new launch template version: every node is replaced, one after the other."""
    cluster, group = _find(call)
    _check_idle(sandbox, cluster, group)
    template = nodegroup_request.launch_template(call, call.params.get("launchTemplate") or group.template)
    if template == group.template and not call.params.get("force"):
        raise AwsError("InvalidParameterException", "No changes needed for the version config provided")
    group.status = "UPDATING"
    params = [("LaunchTemplateVersion", template.get("version", ""))]

    def replace() -> None:
        group.template = template
        for old in list(group.nodes):
            sandbox.world.stop_node(cluster.name, old.instance_id)
            with backends.LOCK:
                nodes.terminate(sandbox, cluster, group, old)
            _scale(sandbox, cluster, group)
            if issues := _join(sandbox, cluster, group):
                raise RuntimeError(issues[0].message)

    def done() -> None:
        group.status, group.modified = "ACTIVE", now()
        sandbox.timeline.note("node-group", group.name, group.status)

    return updates.begin(sandbox, group.updates, "VersionUpdate", params, CREATING, done, replace)


@handles("eks", "DeleteNodegroup")
def delete_nodegroup(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster, group = _find(call)
    if group.status == "DELETING":
        return {"nodegroup": shown(cluster, group)}
    if group.status == "UPDATING":
        message = f"Nodegroup {group.name} cannot be deleted while it is UPDATING"
        raise AwsError("ResourceInUseException", message, clusterName=cluster.name, nodegroupName=group.name)
    group.status = "DELETING"
    due = sandbox.clock.due(DELETING)

    def delete() -> None:
        for node in list(group.nodes):
            sandbox.world.stop_node(cluster.name, node.instance_id)
            with backends.LOCK:
                nodes.terminate(sandbox, cluster, group, node)
        sandbox.clock.wait(due)
        if modes.deletion_fails(sandbox, "node-group"):
            with backends.LOCK:
                group.status = "DELETE_FAILED"
                groups = [cluster.security_group or ""]
                group.issues = [Issue("Ec2SecurityGroupDeletionFailure", "DependencyViolation - resource has a dependent object", groups)]
            return
        with backends.LOCK:
            _delete_profile(group)
            cluster.nodegroups.pop(group.name, None)
            sandbox.timeline.note("node-group", group.name, "gone")

    def failed(why: str) -> None:
        with backends.LOCK:
            group.status = "DELETE_FAILED"
            group.issues = [Issue("NodeTerminationFailure", why, [group.name])]

    work.begin(f"delete node group {group.name}", delete, failed)
    return {"nodegroup": shown(cluster, group)}


def _find(call: Call) -> tuple[Cluster, Nodegroup]:
    name = call.params["clusterName"]
    return state.cluster(call.region, name), state.nodegroup(call.region, name, call.params["nodegroupName"])


def _is_degraded(sandbox: Sandbox, group: Nodegroup) -> bool:
    return group.status == "ACTIVE" and modes.degraded(sandbox)


def _check_idle(sandbox: Sandbox, cluster: Cluster, group: Nodegroup) -> None:
    if group.status != "ACTIVE" or _is_degraded(sandbox, group):
        message = "Nodegroup cannot be updated as it is currently not in Active State"
        raise AwsError("ResourceInUseException", message, clusterName=cluster.name, nodegroupName=group.name)


def _create_profile(group: Nodegroup) -> None:
    """EKS makes one for the node role; while it is there, IAM refuses to delete the role."""
    iam = backends.iam()
    iam.create_instance_profile(group.profile, "/", [], [])
    iam.add_role_to_instance_profile(group.profile, group.spec["nodeRole"].rsplit("/", 1)[-1])


def _delete_profile(group: Nodegroup) -> None:
    iam = backends.iam()
    iam.remove_role_from_instance_profile(group.profile, group.spec["nodeRole"].rsplit("/", 1)[-1])
    iam.delete_instance_profile(group.profile)


def shown(cluster: Cluster, group: Nodegroup) -> dict[str, Any]:
    launched = bool(group.nodes) or group.status == "ACTIVE"
    return {
        "nodegroupName": group.name,
        "nodegroupArn": group.arn,
        "clusterName": cluster.name,
        "version": cluster.version,
        "releaseVersion": versions.RELEASE,
        "createdAt": group.created,
        "modifiedAt": group.modified,
        "status": group.status,
        **group.spec,
        "resources": {"autoScalingGroups": [{"name": group.group}]} if launched else None,
        "health": {"issues": [issue.shown() for issue in group.issues]},
        "launchTemplate": group.template or None,
        "tags": group.tags,
    }
