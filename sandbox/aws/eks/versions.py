"""What this EKS offers. One Kubernetes version, since the sandbox builds one; the add-ons that it can really run."""

from __future__ import annotations

import datetime
from typing import Any

from ..call import Call
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox

VERSION = "1.34"
PATCH = "1.34.4"
PLATFORM = "eks.9"
RELEASE = "1.34.4-20260210"  # of the AMIs

# The newest last: the default of each.
ADDONS: dict[str, list[str]] = {
    "coredns": ["v1.12.3-eksbuild.1", "v1.12.4-eksbuild.1"],
    "kube-proxy": ["v1.34.0-eksbuild.2", "v1.34.1-eksbuild.2"],
    "vpc-cni": ["v1.20.1-eksbuild.3", "v1.20.4-eksbuild.2"],
}

ACCESS_POLICIES = [
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
]


def access_policy_arn(name: str) -> str:
    return f"arn:aws:eks::aws:cluster-access-policy/{name}"


def addon_version(name: str, wanted: str | None, cluster: str) -> str:
    offered, names = ADDONS.get(name), {"addonName": name, "clusterName": cluster}
    if offered is None:
        raise AwsError("InvalidParameterException", f"Addon {name} specified is not supported", **names)
    if wanted is None:
        return offered[-1]
    if wanted not in offered:
        raise AwsError("InvalidParameterException", "Addon version specified is not supported", **names)
    return wanted


@handles("eks", "DescribeClusterVersions")
def describe_cluster_versions(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    wanted = call.params.get("clusterVersions")
    if wanted and VERSION not in wanted:
        return {"clusterVersions": []}
    information = {
        "clusterVersion": VERSION,
        "clusterType": "eks",
        "defaultPlatformVersion": PLATFORM,
        "defaultVersion": True,
        "releaseDate": datetime.datetime(2025, 10, 2, tzinfo=datetime.UTC),
        "endOfStandardSupportDate": datetime.datetime(2026, 12, 2, tzinfo=datetime.UTC),
        "endOfExtendedSupportDate": datetime.datetime(2027, 12, 2, tzinfo=datetime.UTC),
        "status": "STANDARD_SUPPORT",  # its enum has standard-support; the wire has not
        "versionStatus": "STANDARD_SUPPORT",
        "kubernetesPatchVersion": PATCH,
    }
    return {"clusterVersions": [information]}


@handles("eks", "DescribeAddonVersions")
def describe_addon_versions(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    wanted = call.params.get("addonName")
    if wanted and wanted not in ADDONS:
        raise AwsError("ResourceNotFoundException", f"Addon {wanted} not found.", addonName=wanted)
    kubernetes = call.params.get("kubernetesVersion", VERSION)
    addons = []
    for name, offered in ADDONS.items():
        if kubernetes != VERSION or (wanted and name != wanted):
            continue
        versions = [
            {
                "addonVersion": version,
                "architecture": ["amd64", "arm64"],
                "computeTypes": ["ec2", "auto", "hybrid"] if name != "coredns" else ["ec2", "fargate", "hybrid"],
                "compatibilities": [
                    {"clusterVersion": VERSION, "platformVersions": ["*"], "defaultVersion": version == offered[-1]}
                ],
                "requiresConfiguration": False,
                "requiresIamPermissions": name == "vpc-cni",
            }
            for version in reversed(offered)
        ]
        addons.append(
            {"addonName": name, "type": "networking", "addonVersions": versions, "publisher": "eks", "owner": "aws"}
        )
    return {"addons": addons}


@handles("eks", "ListAccessPolicies")
def list_access_policies(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    return {"accessPolicies": [{"name": name, "arn": access_policy_arn(name)} for name in ACCESS_POLICIES]}
