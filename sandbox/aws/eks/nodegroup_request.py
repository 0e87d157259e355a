"""What CreateNodegroup and UpdateNodegroupConfig may ask for: EKS's checks, and its defaults."""

from __future__ import annotations

import re
from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from . import instance_types, nodes, roles
from .state import Cluster, Nodegroup

# EKS's names of node images, those of Amazon Linux 2 and Windows aside.
AMI_TYPES = {
    "AL2023_x86_64_STANDARD",
    "AL2023_ARM_64_STANDARD",
    "AL2023_x86_64_NEURON",
    "AL2023_x86_64_NVIDIA",
    "AL2023_ARM_64_NVIDIA",
    "BOTTLEROCKET_x86_64",
    "BOTTLEROCKET_ARM_64",
    "BOTTLEROCKET_x86_64_NVIDIA",
    "BOTTLEROCKET_ARM_64_NVIDIA",
    "CUSTOM",
}

RESERVED_LABELS = re.compile(r"(^|\.)(kubernetes\.io|k8s\.io|eks\.amazonaws\.com)/")


def read(call: Call, cluster: Cluster) -> tuple[dict[str, Any], dict[str, str]]:
    """The node group as it will be shown, and its launch template."""
    params = call.params
    if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,62}", params["nodegroupName"]):
        raise _invalid(f"The nodegroup name '{params['nodegroupName']}' is not valid.")
    roles.check_node_role(params["nodeRole"])
    template = launch_template(call, params.get("launchTemplate") or {})
    data = nodes.template_data(call.region, template)
    if template:
        if "diskSize" in params:
            raise _invalid("Disk size must be specified within the launch template.")
        if "remoteAccess" in params:
            raise _invalid("Remote access configuration cannot be specified with a launch template.")
        if data.get("InstanceType") and params.get("instanceTypes"):
            message = "Cannot specify instance types in launch template and API request"
            raise AwsError("InvalidRequestException", message)
        if data.get("ImageId"):
            raise _invalid("The launch template names an image; the sandbox knows only EKS's own (amiType CUSTOM).")
        if data.get("SubnetId") or data.get("IamInstanceProfile"):
            raise _invalid("Launch template should not specify a subnet or an instance profile.")
    kinds = [data["InstanceType"]] if data.get("InstanceType") else params.get("instanceTypes") or ["t3.medium"]
    _check_subnets(call, cluster, params["subnets"], kinds)
    ami = params.get("amiType", "AL2023_x86_64_STANDARD")
    if ami.startswith("AL2_"):
        raise _invalid(f"Requested amiType {ami} is not supported for Kubernetes version {cluster.version}")
    if ami not in AMI_TYPES:
        raise _invalid(f"The amiType {ami} is not valid.")
    for kind in kinds:
        if not instance_types.boots(kind, ami):
            raise _invalid(f"[{kind}] is not a valid instance type for requested amiType {ami}")
    spec = {
        "capacityType": params.get("capacityType", "ON_DEMAND"),
        "scalingConfig": _scaling(params.get("scalingConfig", {}), {"minSize": 1, "maxSize": 2, "desiredSize": 2}),
        # With a launch template, only what was said to EKS itself is shown.
        "instanceTypes": (params.get("instanceTypes") if data.get("InstanceType") else kinds) or None,
        "subnets": list(params["subnets"]),
        "amiType": ami,
        "nodeRole": params["nodeRole"],
        "labels": dict(params.get("labels", {})),
        "taints": list(params.get("taints", [])),
        "diskSize": None if template else params.get("diskSize", 20),
        "updateConfig": _update_config(params.get("updateConfig")),
        "nodeRepairConfig": params.get("nodeRepairConfig"),
    }
    _check_labels(spec["labels"])
    return spec, template


def change(call: Call, group: Nodegroup) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """The node group as it will be, and what DescribeUpdate says of it."""
    asked, spec, shown = call.params, dict(group.spec), []
    if "scalingConfig" in asked:
        spec["scalingConfig"] = _scaling(asked["scalingConfig"], spec["scalingConfig"])
        shown += [(name[0].upper() + name[1:], str(size)) for name, size in asked["scalingConfig"].items()]
    if "labels" in asked:
        gone = asked["labels"].get("removeLabels", [])
        added = asked["labels"].get("addOrUpdateLabels", {})
        _check_labels(added)
        spec["labels"] = {key: value for key, value in (spec["labels"] | added).items() if key not in gone}
        shown += [("LabelsToAdd", added), ("LabelsToRemove", gone)]
    if "taints" in asked:
        gone, added = asked["taints"].get("removeTaints", []), asked["taints"].get("addOrUpdateTaints", [])
        spec["taints"] = [taint for taint in spec["taints"] if not _same(taint, [*gone, *added])] + added
        shown += [("TaintsToAdd", added), ("TaintsToRemove", gone)]
    if "updateConfig" in asked:
        spec["updateConfig"] = _update_config(asked["updateConfig"])
        shown += [(name[0].upper() + name[1:], str(value)) for name, value in asked["updateConfig"].items()]
    if "nodeRepairConfig" in asked:
        spec["nodeRepairConfig"] = asked["nodeRepairConfig"]
        shown.append(("NodeRepairConfig", asked["nodeRepairConfig"]))
    if spec == group.spec:
        raise _invalid("No changes needed for the node group configuration provided")
    return spec, shown


def launch_template(call: Call, wanted: dict[str, str]) -> dict[str, str]:
    """By id or name; resolved to a number, as EKS shows it."""
    if not wanted:
        return {}
    ec2 = backends.ec2(call.region)
    identifier = wanted.get("id") or ec2.launch_template_name_to_ids.get(wanted.get("name", ""))
    found = ec2.launch_templates.get(identifier or "")
    if found is None:
        raise _invalid(f"Launch template details can't be found: {wanted.get('id') or wanted.get('name')}")
    number = wanted.get("version") or "$Default"
    try:
        version = found.get_version(number)
    except Exception:
        raise _invalid(f"Launch template version {number} of {found.id} can't be found") from None
    return {"name": found.name, "id": found.id, "version": str(version.number)}


def _check_subnets(call: Call, cluster: Cluster, subnets: list[str], kinds: list[str]) -> None:
    ec2 = backends.ec2(call.region)
    for kind in kinds:
        if instance_types.size(kind) is None:
            raise _invalid(f"[{kind}] is not a valid instance type")
    zones = []
    for wanted in subnets:
        subnet = next((zone[wanted] for zone in ec2.subnets.values() if wanted in zone), None)
        if subnet is None:
            raise _invalid(f"The subnet ID '{wanted}' does not exist")
        if subnet.vpc_id != cluster.vpc:
            raise _invalid(f"The subnet {wanted} is not in the VPC of cluster {cluster.name}")
        zones.append(subnet.availability_zone)
    for kind in kinds:
        offering = sorted({zone for zone in ec2.subnets if instance_types.offered(kind, call.region, zone)})
        for zone in zones:
            if not instance_types.offered(kind, call.region, zone):
                message = (
                    f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). Please "
                    f"retry your request by not specifying an Availability Zone or choosing {', '.join(offering)}."
                )
                names = {"clusterName": cluster.name, "nodegroupName": call.params["nodegroupName"]}
                raise AwsError("InvalidRequestException", message, **names)


def _scaling(asked: dict[str, int], defaults: dict[str, int]) -> dict[str, int]:
    sizes = defaults | asked
    if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
        raise _invalid(f"Desired capacity {sizes['desiredSize']} is not within the min and max size of the node group")
    return sizes


def _update_config(asked: dict[str, Any] | None) -> dict[str, Any]:
    asked = asked or {"maxUnavailable": 1}
    if "maxUnavailable" in asked and "maxUnavailablePercentage" in asked:
        raise _invalid("Only one of maxUnavailable and maxUnavailablePercentage can be specified")
    return {"maxUnavailable": 1, **asked} if "maxUnavailablePercentage" not in asked else dict(asked)


def _check_labels(labels: dict[str, str]) -> None:
    for key in labels:
        if RESERVED_LABELS.search(key) and not key.startswith("node-role."):
            raise _invalid(f"Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]: {key}")


def _same(taint: dict[str, str], others: list[dict[str, str]]) -> bool:
    return any((taint["key"], taint["effect"]) == (other["key"], other["effect"]) for other in others)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
