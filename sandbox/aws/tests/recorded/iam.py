"""Roles, policies and OIDC providers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .recorder import refused

MANAGED = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
MISSING = "arn:aws:iam::123456789012:policy/example-policy-name-1123"


def document(**principal: Any) -> str:
    principal = principal or {"Service": "ec2.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def play(client: Callable[..., Any]) -> None:
    iam = client("iam")
    _roles(iam)
    _policies(iam)
    _documents(iam)
    _providers(iam)


def _roles(iam: Any) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    made = {"RoleName": "example-resource-1", "AssumeRolePolicyDocument": document()}
    iam.create_role(**made, Tags=tags, Description="d")
    refused(iam.create_role, **made)
    iam.create_role(**made | {"RoleName": "example-resource-2"}, Description="d")
    for name in ("example-resource-1", "example-resource-2"):
        iam.get_role(RoleName=name)
    iam.list_roles()
    refused(iam.get_role, RoleName="c7n_test_check_permissions")
    refused(iam.delete_role, RoleName="c7n_test_check_permissions")
    iam.update_assume_role_policy(RoleName="example-resource-1", PolicyDocument=document())
    iam.list_instance_profiles_for_role(RoleName="example-resource-1")
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="example-resource-1")
    iam.list_instance_profiles_for_role(RoleName="example-resource-1")
    refused(iam.delete_role, RoleName="example-resource-1")
    iam.remove_role_from_instance_profile(InstanceProfileName="profile", RoleName="example-resource-1")
    iam.delete_instance_profile(InstanceProfileName="profile")
    iam.delete_role(RoleName="example-resource-2")
    linked = iam.create_service_linked_role(AWSServiceName="eks.amazonaws.com")["Role"]["RoleName"]
    refused(iam.delete_role, RoleName=linked)
    refused(iam.attach_role_policy, RoleName=linked, PolicyArn=MANAGED)
    iam.delete_service_linked_role(RoleName=linked)


def _policies(iam: Any) -> None:
    role = {"RoleName": "example-resource-1"}
    nobody = {"RoleName": "example-resource-3"}
    iam.list_attached_role_policies(**role)
    iam.list_role_policies(**role)
    iam.attach_role_policy(**role, PolicyArn=MANAGED)
    iam.list_attached_role_policies(**role)
    refused(iam.attach_role_policy, **role, PolicyArn=MISSING)
    refused(iam.attach_role_policy, **nobody, PolicyArn=MANAGED)
    refused(iam.attach_role_policy, **role, PolicyArn="this-is-no-arn-at-all")
    refused(iam.detach_role_policy, **role, PolicyArn=MISSING)
    refused(iam.detach_role_policy, **role, PolicyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")
    refused(iam.detach_role_policy, **nobody, PolicyArn=MANAGED)
    refused(iam.delete_role, **role)
    iam.detach_role_policy(**role, PolicyArn=MANAGED)
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(**role, PolicyName="p", PolicyDocument=policy)
    iam.get_role_policy(**role, PolicyName="p")
    iam.list_role_policies(**role)
    refused(iam.get_role_policy, **role, PolicyName="q")
    refused(iam.delete_role, **role)
    iam.delete_role_policy(**role, PolicyName="p")
    refused(iam.delete_role_policy, **role, PolicyName="p")
    iam.delete_role(**role)


def _documents(iam: Any) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}

    def create(text: str) -> None:
        refused(iam.create_role, RoleName="example-resource-1", AssumeRolePolicyDocument=text)

    create("this is no JSON")
    create('{"Version": "2012-10-17", "Statement": [')
    create(document(AWS="arn:aws:iam::123456789012:role/nobody-1"))
    create(document(AWS="arn:aws:iam::123456789012:user/nobody-1"))
    create(document(Service="nothing"))
    create(json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Resource": "*"}]}))
    create(json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Action": "s3:GetObject"}]}))
    without = {key: value for key, value in statement.items() if key != "Principal"}
    create(json.dumps({"Version": "2012-10-17", "Statement": [without]}))


def _providers(iam: Any) -> None:
    made = {"Url": "https://issuer.example/id/1", "ClientIDList": ["sts.amazonaws.com"], "Tags": [{"Key": "a", "Value": "b"}]}
    arn = iam.create_open_id_connect_provider(**made)["OpenIDConnectProviderArn"]
    refused(iam.create_open_id_connect_provider, **made)
    iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.list_open_id_connect_providers()
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    refused(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)
