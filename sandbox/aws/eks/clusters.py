"""CreateCluster, DescribeCluster, ListClusters, UpdateClusterConfig, DeleteCluster."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import handles
from ..modes.nodes import deletion_fails
from ..sandbox import Sandbox
from . import access, addons, network, roles, state, updates, versions, work
from .state import Cluster, Issue

# AWS seconds, as seen in public logs: created in 8-11 min, deleted in 1-4 min, an update in a few.
CREATING = 570
DELETING = 120
UPDATING = 120
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
QUOTA = 100


@handles("eks", "CreateCluster")
def create_cluster(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    params = call.params
    name = params["name"]
    if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", name):
        raise AwsError("InvalidParameterException", f"The cluster name '{name}' is not valid.")
    token = params.get("clientRequestToken")
    if existing := state.clusters.get((call.region, name)):
        if token and existing.token == token:
            return {"cluster": shown(existing)}
        raise AwsError("ResourceInUseException", f"Cluster already exists with name: {name}", clusterName=name)
    if sum(region == call.region for region, _ in state.clusters) >= QUOTA:
        raise AwsError("ResourceLimitExceededException", f"Cluster limit exceeded: at most {QUOTA} clusters.")
    version = params.get("version", versions.VERSION)
    if version != versions.VERSION:
        raise AwsError("InvalidParameterException", f"unsupported Kubernetes version {version}", clusterName=name)
    roles.check_cluster_role(params["roleArn"])
    access_config = params.get("accessConfig", {})
    mode = access_config.get("authenticationMode", "CONFIG_MAP")
    creator_is_admin = access_config.get("bootstrapClusterCreatorAdminPermissions", True)
    vpc_config = params["resourcesVpcConfig"]
    vpc = network.check_subnets(call.region, name, vpc_config.get("subnetIds", []))
    public = vpc_config.get("endpointPublicAccess", True)
    private = vpc_config.get("endpointPrivateAccess", False)
    if not public and not private:
        raise AwsError("InvalidParameterException", "Private and public endpoint access cannot be false")

    cluster = Cluster(
        name=name,
        region=call.region,
        arn=state.arn(call.region, f"cluster/{name}"),
        token=token,
        version=version,
        role=params["roleArn"],
        vpc=vpc,
        subnets=list(vpc_config["subnetIds"]),
        security_groups=list(vpc_config.get("securityGroupIds", [])),
        public=public,
        private=private,
        public_cidrs=list(vpc_config.get("publicAccessCidrs") or ["0.0.0.0/0"]),
        service_cidr=params.get("kubernetesNetworkConfig", {}).get("serviceIpv4Cidr") or _service_cidr(call, vpc),
        logging=dict.fromkeys(LOG_TYPES, False),
        mode=mode,
        self_managed_addons=params.get("bootstrapSelfManagedAddons", True),
        support=params.get("upgradePolicy", {}).get("supportType", "EXTENDED"),
        deletion_protection=params.get("deletionProtection", False),
        issuer=f"https://oidc.eks.{call.region}.amazonaws.com/id/{state.new_id()}",
        tags=dict(params.get("tags", {})),
        encryption=params.get("encryptionConfig"),
    )
    _set_logging(cluster, params.get("logging", {}))
    state.clusters[call.region, name] = cluster
    network.create_security_group(cluster)
    network.create_interfaces(cluster)
    if creator_is_admin and call.principal:
        access.admit_creator(cluster, call.principal)
    due = sandbox.clock.due(CREATING)

    def create() -> None:
        handle = sandbox.world.start_cluster(name, cluster.arn, version, cluster.service_cidr, cluster.issuer)
        if cluster.self_managed_addons:
            for addon, offered in versions.ADDONS.items():
                sandbox.world.apply_addon(name, addon, offered[-1], {})
        sandbox.clock.wait(due)
        with backends.LOCK:
            cluster.handle = handle
            if cluster.status == "CREATING":
                cluster.status = "ACTIVE"
            sandbox.timeline.note("cluster", name, cluster.status)

    def failed(why: str) -> None:
        with backends.LOCK:
            cluster.status = "FAILED"
            cluster.issues = [Issue("InternalFailure", why, [name])]

    work.begin(f"create cluster {name}", create, failed)
    return {"cluster": shown(cluster)}


@handles("eks", "DescribeCluster")
def describe_cluster(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    return {"cluster": shown(state.cluster(call.region, call.params["name"]))}


@handles("eks", "ListClusters")
def list_clusters(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    names, token = state.page([name for region, name in state.clusters if region == call.region], call.params)
    return {"clusters": names, "nextToken": token}


@handles("eks", "DeleteCluster")
def delete_cluster(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster = state.cluster(call.region, call.params["name"])
    if cluster.status == "DELETING":
        return {"cluster": shown(cluster)}
    if cluster.nodegroups:
        names = {"clusterName": cluster.name, "nodegroupName": next(iter(cluster.nodegroups))}
        raise AwsError("ResourceInUseException", "Cluster has nodegroups attached", **names)
    if cluster.status in ("CREATING", "UPDATING"):
        message = f"Cluster {cluster.name} cannot be deleted while it is {cluster.status}"
        raise AwsError("ResourceInUseException", message, clusterName=cluster.name)
    if cluster.deletion_protection:
        message = f"Cluster {cluster.name} has deletion protection; turn it off first"
        raise AwsError("InvalidRequestException", message, clusterName=cluster.name)
    cluster.status = "DELETING"
    due = sandbox.clock.due(DELETING)

    def delete() -> None:
        if deletion_fails(sandbox, "cluster"):  # EKS has no DELETE_FAILED for clusters
            sandbox.clock.wait(due)
            failed("DependencyViolation - resource has a dependent object")
            return
        sandbox.world.stop_cluster(cluster.name)
        sandbox.clock.wait(due)
        with backends.LOCK:
            network.delete_all(cluster)
            state.clusters.pop((cluster.region, cluster.name), None)
            sandbox.timeline.note("cluster", cluster.name, "gone")

    def failed(why: str) -> None:
        with backends.LOCK:
            cluster.status = "FAILED"
            cluster.issues = [Issue("InternalFailure", why, [cluster.name])]

    addons.forget(cluster)
    work.begin(f"delete cluster {cluster.name}", delete, failed)
    return {"cluster": shown(cluster)}


@handles("eks", "UpdateClusterConfig")
def update_cluster_config(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    cluster = state.cluster(call.region, call.params["name"])
    if cluster.status != "ACTIVE":
        message = f"Cannot update cluster {cluster.name}: it is {cluster.status}"
        raise AwsError("ResourceInUseException", message, clusterName=cluster.name)
    kinds = {
        "resourcesVpcConfig": _change_endpoint,
        "logging": _change_logging,
        "accessConfig": _change_access,
        "upgradePolicy": _change_upgrade_policy,
        "deletionProtection": _change_protection,
    }
    asked = [kind for kind in kinds if call.params.get(kind) is not None]
    if len(asked) != 1:
        raise AwsError("InvalidParameterException", "Only one type of update can be allowed.", clusterName=cluster.name)
    kind, params, apply = kinds[asked[0]](cluster, call.params[asked[0]])
    cluster.status = "UPDATING"

    def done() -> None:
        apply()
        cluster.status = "ACTIVE"
        sandbox.timeline.note("cluster", cluster.name, cluster.status)

    return updates.begin(sandbox, cluster.updates, kind, params, UPDATING, done)


def _change_endpoint(cluster: Cluster, config: dict[str, Any]) -> updates.Change:
    if "subnetIds" in config or "securityGroupIds" in config:
        if {"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"} & set(config):
            message = "Only one type of update can be allowed."
            raise AwsError("InvalidParameterException", message, clusterName=cluster.name)
        subnets = config.get("subnetIds", cluster.subnets)
        groups = config.get("securityGroupIds", cluster.security_groups)
        network.check_move(cluster, subnets)

        def move() -> None:
            cluster.subnets, cluster.security_groups = list(subnets), list(groups)
            network.delete_interfaces(cluster)
            network.create_interfaces(cluster)

        return "VpcConfigUpdate", [("Subnets", ",".join(subnets)), ("SecurityGroups", ",".join(groups))], move
    public = config.get("endpointPublicAccess", cluster.public)
    private = config.get("endpointPrivateAccess", cluster.private)
    cidrs = config.get("publicAccessCidrs") or cluster.public_cidrs
    if not public and not private:
        raise AwsError("InvalidParameterException", "Private and public endpoint access cannot be false")
    if (public, private, sorted(cidrs)) == (cluster.public, cluster.private, sorted(cluster.public_cidrs)):
        raise AwsError(
            "InvalidParameterException",
            f"Cluster is already at the desired configuration with endpointPrivateAccess: {private}, "
            f"endpointPublicAccess: {public}, and Public Endpoint Restrictions: [{', '.join(cidrs)}]",
        )

    def apply() -> None:
        cluster.public, cluster.private, cluster.public_cidrs = public, private, list(cidrs)

    shown = [("EndpointPublicAccess", public), ("EndpointPrivateAccess", private), ("PublicAccessCidrs", cidrs)]
    return "EndpointAccessUpdate", shown, apply


def _change_logging(cluster: Cluster, config: dict[str, Any]) -> updates.Change:
    before = dict(cluster.logging)
    _set_logging(cluster, config)
    after, cluster.logging = cluster.logging, before
    if before == after:
        raise AwsError("InvalidParameterException", "No changes needed for the logging config provided")

    def apply() -> None:
        cluster.logging = after

    return "LoggingUpdate", [("ClusterLogging", after)], apply


def _change_access(cluster: Cluster, config: dict[str, Any]) -> updates.Change:
    order = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]
    mode = config["authenticationMode"]
    if order.index(mode) <= order.index(cluster.mode):
        message = f"Unsupported authentication mode update from {cluster.mode} to {mode}"
        raise AwsError("InvalidParameterException", message, clusterName=cluster.name)

    def apply() -> None:
        cluster.mode = mode

    return "AccessConfigUpdate", [("AuthenticationMode", mode)], apply


def _change_upgrade_policy(cluster: Cluster, config: dict[str, Any]) -> updates.Change:
    def apply() -> None:
        cluster.support = config["supportType"]

    return "UpgradePolicyUpdate", [("UpgradePolicy", config)], apply


def _change_protection(cluster: Cluster, on: bool) -> updates.Change:
    def apply() -> None:
        cluster.deletion_protection = on

    return "DeletionProtectionUpdate", [("DeletionProtection", on)], apply


def _set_logging(cluster: Cluster, config: dict[str, Any]) -> None:
    for setup in config.get("clusterLogging", []):
        for kind in setup.get("types", []):
            cluster.logging[kind] = bool(setup.get("enabled"))


def _service_cidr(call: Call, vpc: str) -> str:
    """10.100.0.0/16, unless the VPC itself is within 10.0.0.0/8."""
    block = ipaddress.ip_network(backends.ec2(call.region).vpcs[vpc].cidr_block)
    return "172.20.0.0/16" if block.subnet_of(ipaddress.ip_network("10.0.0.0/8")) else "10.100.0.0/16"


def shown(cluster: Cluster) -> dict[str, Any]:
    """As DescribeCluster answers: what was only written is absent, endpoint, CA and issuer come with ACTIVE."""
    ready = cluster.handle is not None
    on = [kind for kind in LOG_TYPES if cluster.logging[kind]]
    off = [kind for kind in LOG_TYPES if not cluster.logging[kind]]
    logging = [{"types": kinds, "enabled": enabled} for kinds, enabled in ((on, True), (off, False)) if kinds]
    return {
        "name": cluster.name,
        "arn": cluster.arn,
        "createdAt": cluster.created,
        "version": cluster.version,
        "endpoint": cluster.handle.endpoint if cluster.handle else None,
        "roleArn": cluster.role,
        "resourcesVpcConfig": {
            "subnetIds": cluster.subnets,
            "securityGroupIds": cluster.security_groups,
            "clusterSecurityGroupId": cluster.security_group if ready else None,
            "vpcId": cluster.vpc,
            "endpointPublicAccess": cluster.public,
            "endpointPrivateAccess": cluster.private,
            "publicAccessCidrs": cluster.public_cidrs,
        },
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": cluster.service_cidr,
            "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": False},
        },
        "logging": {"clusterLogging": logging},
        "identity": {"oidc": {"issuer": cluster.issuer}} if ready else None,
        "status": cluster.status,
        "certificateAuthority": {"data": cluster.handle.certificate_authority} if cluster.handle else {},
        "platformVersion": versions.PLATFORM,
        "tags": cluster.tags,
        "encryptionConfig": cluster.encryption,
        "health": {"issues": [issue.shown() for issue in cluster.issues]},
        "accessConfig": {"authenticationMode": cluster.mode},
        "upgradePolicy": {"supportType": cluster.support},
        "deletionProtection": cluster.deletion_protection,
        "zonalShiftConfig": {"enabled": False},
        "controlPlaneScalingConfig": {"tier": "standard"},
    }
