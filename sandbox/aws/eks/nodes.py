"""The instances of a node group, as its auto scaling group would launch and end them."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..ec2.interfaces import free_address
from ..modes.nodes import with_capacity
from ..sandbox import Sandbox
from ..world import NodeSpec
from . import instance_types, pod_interfaces
from .state import Cluster, Nodegroup

# The EKS-optimised AMI. Nothing boots from it, so one id serves all.
IMAGE = "ami-0e2a6b8c9d1f35407"
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
TEMPLATE_TAGS = ("instance", "volume", "network-interface")


def launch(sandbox: Sandbox, cluster: Cluster, group: Nodegroup) -> NodeSpec:
    """One more instance, in the subnet that has the fewest of those whose zone has one left."""
    ec2 = backends.ec2(cluster.region)
    used = [ec2.get_instance(node.instance_id).subnet_id for node in group.nodes]
    template = template_data(cluster.region, group.template)
    kind = instance_type(group, template)
    subnets = with_capacity(sandbox, cluster.region, group.spec["subnets"], kind) or group.spec["subnets"]
    subnet = ec2.get_subnet(min(subnets, key=used.count))
    groups = template.get("SecurityGroupIds") or [cluster.security_group]
    tags = {what: dict(own) for what, own in template_tags(template).items()}
    tags["instance"] |= {
        "eks:cluster-name": cluster.name,
        "eks:nodegroup-name": group.name,
        "aws:eks:cluster-name": cluster.name,
        f"kubernetes.io/cluster/{cluster.name}": "owned",
        f"k8s.io/cluster-autoscaler/{cluster.name}": "owned",
        "k8s.io/cluster-autoscaler/enabled": "true",
        "aws:autoscaling:groupName": group.group,
    }
    reservation = ec2.run_instances(
        IMAGE,
        1,
        None,
        [],
        subnet_id=subnet.id,
        private_ip=free_address(ec2, subnet),
        instance_type=kind,
        is_instance_type_default=False,
        region_name=cluster.region,
        security_group_ids=list(groups),
        iam_instance_profile={"Arn": f"arn:aws:iam::{backends.ACCOUNT}:instance-profile/{group.profile}"},
        metadata_options=template.get("MetadataOptions"),
        block_device_mappings=_disks(group, template),
        tags={"instance": tags["instance"], "volume": tags["volume"]},
        associate_public_ip=None,
        nics=[],
    )
    instance = reservation.instances[0]
    instance.nics[0].delete_on_termination = True
    instance.nics[0].add_tags(tags["network-interface"])
    size = instance_types.size(kind)
    assert size is not None, f"{kind} was checked when the node group was made"
    node = NodeSpec(
        instance_id=instance.id,
        nodegroup=group.name,
        private_ip=instance.private_ip,
        private_dns=_private_dns(instance.private_ip, cluster.region),
        zone=subnet.availability_zone,
        region=cluster.region,
        instance_type=kind,
        labels={
            "eks.amazonaws.com/nodegroup": group.name,
            "eks.amazonaws.com/capacityType": group.spec["capacityType"],
            "eks.amazonaws.com/nodegroup-image": IMAGE,
            **group.spec["labels"],
        },
        taints=[
            {"key": taint["key"], "value": taint.get("value", ""), "effect": EFFECTS[taint["effect"]]}
            for taint in group.spec["taints"]
        ],
        # Without NVIDIA's driver in the AMI a GPU is a card in a slot, no more.
        gpus=size.gpus if "NVIDIA" in group.spec["amiType"] else 0,
        max_pods=size.max_pods,
        vcpus=size.vcpus,
        memory_mib=size.memory_mib,
    )
    group.nodes.append(node)
    pod_interfaces.attach(cluster, node)
    return node


def terminate(sandbox: Sandbox, cluster: Cluster, group: Nodegroup, node: NodeSpec) -> None:
    ec2 = backends.ec2(cluster.region)
    pod_interfaces.leave(sandbox, cluster, node)
    interfaces = list(ec2.get_instance(node.instance_id).nics.values())
    for target_group in backends.elbv2(cluster.region).target_groups.values():
        target_group.targets.pop(node.instance_id, None)
    ec2.terminate_instances([node.instance_id])
    for interface in interfaces:
        ec2.enis.pop(interface.id, None)
    group.nodes.remove(node)


def template_data(region: str, template: dict[str, str]) -> dict[str, Any]:
    if not template:
        return {}
    return backends.ec2(region).get_launch_template(template["id"]).get_version(template["version"]).data


def template_tags(data: dict[str, Any]) -> dict[str, dict[str, str]]:
    tags: dict[str, dict[str, str]] = {what: {} for what in TEMPLATE_TAGS}
    for specification in data.get("TagSpecifications") or []:
        for tag in specification.get("Tags") or specification.get("Tag") or []:
            tags.setdefault(specification["ResourceType"], {})[tag["Key"]] = tag["Value"]
    return tags


def instance_type(group: Nodegroup, template: dict[str, Any]) -> str:
    return template.get("InstanceType") or group.spec["instanceTypes"][0]


def _disks(group: Nodegroup, template: dict[str, Any]) -> list[dict[str, Any]]:
    if mappings := template.get("BlockDeviceMappings"):
        # The devices that an image brings go with their instance unless the template says otherwise.
        return [
            {**mapping, "Ebs": {"DeleteOnTermination": True, **mapping["Ebs"]}} for mapping in mappings if "Ebs" in mapping
        ]
    ebs = {"VolumeSize": group.spec["diskSize"], "VolumeType": "gp3", "DeleteOnTermination": True}
    return [{"DeviceName": "/dev/xvda", "Ebs": ebs}]


def _private_dns(address: str, region: str) -> str:
    host = "ip-" + address.replace(".", "-")
    return f"{host}.ec2.internal" if region == "us-east-1" else f"{host}.{region}.compute.internal"
