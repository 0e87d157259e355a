"""May EKS use this IAM role? The checks, and the words, of CreateCluster and CreateNodegroup."""

from __future__ import annotations

import json
from typing import Any

from .. import backends
from ..errors import AwsError

AWS_MANAGED = "arn:aws:iam::aws:policy/"


def find(arn: str) -> Any | None:
    return next((role for role in backends.iam().get_roles() if role.arn == arn), None)


def attached(role: Any) -> set[str]:
    """Names of the AWS-managed policies on it."""
    return {arn.rsplit("/", 1)[-1] for arn in role.managed_policies if arn.startswith(AWS_MANAGED)}


def trusts(role: Any, service: str) -> bool:
    document = role.assume_role_policy_document
    document = json.loads(document) if isinstance(document, str) else document
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        actions = statement.get("Action", [])
        actions = [actions] if isinstance(actions, str) else actions
        services = [services] if isinstance(services, str) else services
        if statement.get("Effect") == "Allow" and service in services and "sts:AssumeRole" in actions:
            return True
    return False


def check_cluster_role(arn: str) -> None:
    role = find(arn)
    if role is None or not trusts(role, "eks.amazonaws.com"):
        raise AwsError(
            "InvalidParameterException",
            f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct",
        )
    if "AmazonEKSClusterPolicy" not in attached(role):
        raise AwsError(
            "InvalidParameterException",
            "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the "
            f"following policies [{AWS_MANAGED}AmazonEKSClusterPolicy] are attached",
        )


def check_node_role(arn: str) -> None:
    role = find(arn)
    if role is None:
        raise AwsError("InvalidParameterException", f"The role with name {arn.rsplit('/', 1)[-1]} cannot be found.")
    if not trusts(role, "ec2.amazonaws.com"):
        raise AwsError(
            "InvalidParameterException",
            f"Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of "
            f"nodeRole {arn}",
        )
