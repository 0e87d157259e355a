"""A cluster with everything in it, and what EKS refuses on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .recorder import asked, refused, until

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
MANAGED = "arn:aws:iam::aws:policy/"
ROLES = {
    "example-cluster-role": ("eks.amazonaws.com", ["AmazonEKSClusterPolicy"]),
    "example-node-role": (
        "ec2.amazonaws.com",
        ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"],
    ),
}


def play(client: Callable[..., Any]) -> None:
    eks, ec2, iam = client("eks"), client("ec2"), client("iam")
    # What changes with time is looked at beside the recorder.
    eks.looking = client("eks", unwatched=True)
    roles = {name: _role(iam, name, *parts) for name, parts in ROLES.items()}
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    table = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    subnets = []
    for number, zone in enumerate("abe"):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")
        subnets.append(made["Subnet"]["SubnetId"])
        ec2.modify_subnet_attribute(SubnetId=subnets[-1], MapPublicIpOnLaunch={"Value": True})
    _cluster(eks, roles["example-cluster-role"], subnets)
    _entries(eks, roles["example-node-role"])
    _addons(eks)
    _groups(eks, iam, roles["example-node-role"], subnets)
    _end(eks)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    for name, (_, policies) in ROLES.items():
        for policy in policies:
            iam.detach_role_policy(RoleName=name, PolicyArn=MANAGED + policy)
        iam.delete_role(RoleName=name)


def _role(iam: Any, name: str, service: str, policies: list[str]) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=MANAGED + policy)
    return arn


def _cluster(eks: Any, role: str, subnets: list[str]) -> None:
    eks.describe_cluster_versions()
    eks.describe_addon_versions()
    eks.list_access_policies()
    params: dict[str, Any] = {
        "name": "example",
        "roleArn": role,
        "resourcesVpcConfig": {"subnetIds": subnets[:2]},
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "bootstrapSelfManagedAddons": False,
        "tags": {"a": "b"},
    }
    refused(eks.describe_cluster, name="example")
    refused(eks.delete_cluster, name="example")
    refused(eks.create_cluster, **params | {"roleArn": role + "-missing"})
    refused(eks.create_cluster, **params | {"version": "1.2"})
    refused(eks.create_cluster, **params | {"resourcesVpcConfig": {"subnetIds": subnets[:1]}})
    refused(eks.create_cluster, **params | {"resourcesVpcConfig": {"subnetIds": subnets}})
    refused(eks.create_cluster, **params | {"resourcesVpcConfig": {"subnetIds": ["subnet-0123456789abcdef0"]}})
    refused(eks.create_cluster, **params | {"name": "not valid"})
    made = eks.create_cluster(**params)["cluster"]
    refused(eks.create_cluster, **params)
    until(lambda: eks.looking.describe_cluster(name="example")["cluster"]["status"] == "ACTIVE")
    eks.describe_cluster(name="example")
    eks.list_clusters()
    eks.list_tags_for_resource(resourceArn=made["arn"])
    change = {"endpointPublicAccess": True, "endpointPrivateAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}
    update = eks.update_cluster_config(name="example", resourcesVpcConfig=change)["update"]["id"]
    refused(eks.update_cluster_config, name="example", resourcesVpcConfig=change)
    until(lambda: eks.looking.describe_update(name="example", updateId=update)["update"]["status"] == "Successful")
    refused(eks.update_cluster_config, name="example", resourcesVpcConfig=change)
    eks.describe_update(name="example", updateId=update)
    refused(eks.describe_update, name="example", updateId="00c64000-0000-4000-8000-000000000000")


def _entries(eks: Any, role: str) -> None:
    cluster = {"clusterName": "example"}
    entry = cluster | {"principalArn": role}
    refused(eks.describe_access_entry, **entry)
    refused(eks.create_access_entry, **cluster, principalArn=role + "-missing")
    refused(eks.create_access_entry, **cluster, principalArn="arn:aws:sts::123456789012:assumed-role/example-1/session")
    refused(eks.create_access_entry, **entry, kubernetesGroups=["system:masters"])
    eks.create_access_entry(**entry, tags={"a": "b"})
    refused(eks.create_access_entry, **entry)
    eks.describe_access_entry(**entry)
    eks.list_access_entries(**cluster)
    eks.update_access_entry(**entry, kubernetesGroups=["group"])
    scope = {"accessScope": {"type": "cluster"}}
    refused(eks.associate_access_policy, **entry, **scope, policyArn=ADMIN + "-missing")
    refused(eks.associate_access_policy, **cluster, **scope, principalArn=role + "-missing", policyArn=ADMIN)
    eks.associate_access_policy(**entry, **scope, policyArn=ADMIN)
    eks.associate_access_policy(**entry, accessScope={"type": "namespace", "namespaces": ["one"]}, policyArn=ADMIN)
    eks.list_associated_access_policies(**entry)
    eks.disassociate_access_policy(**entry, policyArn=ADMIN)
    eks.delete_access_entry(**entry)
    eks.create_access_entry(**entry, type="EC2_LINUX")
    refused(eks.associate_access_policy, **entry, **scope, policyArn=ADMIN)


def _addons(eks: Any) -> None:
    cluster = {"clusterName": "example"}
    refused(eks.create_addon, **cluster, addonName="vpc-cni", addonVersion="v1.0.0-eksbuild.1")
    refused(eks.create_addon, **cluster, addonName="nothing")
    refused(eks.describe_addon, **cluster, addonName="vpc-cni")
    for name in ("vpc-cni", "kube-proxy"):
        eks.create_addon(**cluster, addonName=name, tags={"a": "b"})
    refused(eks.create_addon, **cluster, addonName="vpc-cni")
    until(lambda: eks.looking.describe_addon(**cluster, addonName="vpc-cni")["addon"]["status"] == "ACTIVE")
    eks.describe_addon(**cluster, addonName="vpc-cni")
    eks.list_addons(**cluster)
    eks.describe_addon_configuration(addonName="vpc-cni", addonVersion="v1.20.4-eksbuild.2")
    wrong = json.dumps({"env": {"POD_SECURITY_GROUP_ENFORCING_MODE": "standard"}})
    refused(eks.update_addon, **cluster, addonName="vpc-cni", configurationValues=wrong)
    refused(eks.update_addon, **cluster, addonName="vpc-cni", configurationValues=": : :")
    right = json.dumps({"env": {"ENABLE_PREFIX_DELEGATION": "true"}})
    update = eks.update_addon(**cluster, addonName="vpc-cni", configurationValues=right)["update"]["id"]
    look = {"name": "example", "addonName": "vpc-cni", "updateId": update}
    until(lambda: eks.looking.describe_update(**look)["update"]["status"] == "Successful")


def _groups(eks: Any, iam: Any, role: str, subnets: list[str]) -> None:
    params: dict[str, Any] = {
        "clusterName": "example",
        "nodegroupName": "example-ng",
        "nodeRole": role,
        "subnets": subnets[:2],
        "scalingConfig": {"minSize": 1, "maxSize": 1, "desiredSize": 1},
        "instanceTypes": ["t3.large"],
        "tags": {"a": "b"},
    }
    group = {"clusterName": "example", "nodegroupName": "example-ng"}
    refused(eks.describe_nodegroup, **group)
    refused(eks.create_nodegroup, **params | {"clusterName": "nobody"})
    refused(eks.create_nodegroup, **params | {"instanceTypes": ["nonsense.large"]})
    refused(eks.create_nodegroup, **params | {"instanceTypes": ["g4dn.xlarge"], "subnets": subnets})
    refused(eks.create_nodegroup, **params | {"amiType": "AL2023_ARM_64_STANDARD"})
    refused(eks.create_nodegroup, **params | {"nodeRole": role + "-missing"})
    refused(eks.create_nodegroup, **params | {"subnets": ["subnet-0123456789abcdef0"]})
    refused(eks.create_nodegroup, **params | {"launchTemplate": {"id": "lt-0123456789abcdef0"}})
    refused(eks.create_nodegroup, **params | {"labels": {"kubernetes.io/x": "y"}})
    refused(eks.create_nodegroup, **params | {"scalingConfig": {"minSize": 2, "maxSize": 1, "desiredSize": 3}})
    other = _role(iam, "example-other-role", "eks.amazonaws.com", [])
    refused(eks.create_nodegroup, **params | {"nodeRole": other})
    iam.delete_role(RoleName="example-other-role")
    eks.create_nodegroup(**params)
    refused(eks.create_nodegroup, **params)
    asked(eks.update_nodegroup_config, **group, labels={"addOrUpdateLabels": {"c": "d"}})  # on a slow machine it is there
    until(lambda: eks.looking.describe_nodegroup(**group)["nodegroup"]["status"] == "ACTIVE")
    eks.describe_nodegroup(**group)
    eks.list_nodegroups(clusterName="example")
    update = eks.update_nodegroup_config(**group, labels={"addOrUpdateLabels": {"a": "b"}})["update"]["id"]
    look = {"name": "example", "nodegroupName": "example-ng", "updateId": update}
    until(lambda: eks.looking.describe_update(**look)["update"]["status"] == "Successful")
    update = eks.update_nodegroup_version(**group, force=True)["update"]["id"]
    until(lambda: eks.looking.describe_update(**look | {"updateId": update})["update"]["status"] == "Successful")
    refused(eks.delete_cluster, name="example")
    eks.delete_nodegroup(**group)
    until(lambda: not eks.looking.list_nodegroups(clusterName="example")["nodegroups"])


def _end(eks: Any) -> None:
    eks.delete_addon(clusterName="example", addonName="vpc-cni")
    until(lambda: "vpc-cni" not in eks.looking.list_addons(clusterName="example")["addons"])
    eks.delete_cluster(name="example")
    until(lambda: "example" not in eks.looking.list_clusters()["clusters"])
