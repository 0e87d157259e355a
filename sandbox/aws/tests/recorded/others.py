"""STS, ECR, Service Quotas and the tagging API."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from .recorder import refused

LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
            "action": {"type": "expire"},
        }
    ]
}


def play(client: Callable[..., Any]) -> None:
    _sts(client)
    _denied(client)
    _ecr(client("ecr"))
    _quotas(client("service-quotas"))
    client("resourcegroupstaggingapi").get_resources()


def _sts(client: Callable[..., Any]) -> None:
    sts, iam = client("sts"), client("iam")
    sts.get_caller_identity()
    refused(sts.assume_role, RoleArn="nothing-valid-in-here", RoleSessionName="session")
    allow = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    arn = iam.create_role(RoleName="assumed", AssumeRolePolicyDocument=text)["Role"]["Arn"]
    sts.assume_role(RoleArn=arn, RoleSessionName="session")
    refused(sts.assume_role, RoleArn=arn + "-missing", RoleSessionName="session")
    iam.delete_role(RoleName="assumed")


def _denied(client: Callable[..., Any]) -> None:
    """What somebody without permissions is told."""
    iam = client("iam")
    name = f"nobody-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    refused(client("ec2", **keys).describe_vpcs)
    refused(client("eks", **keys).describe_cluster, name="example")
    s3 = client("s3", **keys)
    refused(s3.delete_bucket, Bucket="example-bucket-1")
    for call in (s3.put_object, s3.get_object, s3.head_object, s3.delete_object):
        refused(call, Bucket="example-bucket-1", Key="k")
    for call in (s3.list_objects_v2, s3.head_bucket, s3.get_bucket_tagging, s3.create_bucket, s3.list_object_versions):
        refused(call, Bucket="example-bucket-1")
    refused(client("sts", **keys).assume_role, RoleArn="arn:aws:iam::123456789012:role/example-1", RoleSessionName="session")
    iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
    iam.delete_user(UserName=name)


def _ecr(ecr: Any) -> None:
    name = {"repositoryName": "c7n"}
    for call in (ecr.describe_images, ecr.list_images, ecr.get_lifecycle_policy, ecr.delete_repository):
        refused(call, **name)
    refused(ecr.describe_repositories, repositoryNames=["c7n"])
    arn = ecr.create_repository(**name, tags=[{"Key": "a", "Value": "b"}])["repository"]["repositoryArn"]
    refused(ecr.create_repository, **name)
    ecr.describe_repositories()
    ecr.list_tags_for_resource(resourceArn=arn)
    refused(ecr.get_lifecycle_policy, **name)
    refused(ecr.delete_lifecycle_policy, **name)
    ecr.put_lifecycle_policy(**name, lifecyclePolicyText=json.dumps(LIFECYCLE))
    ecr.get_lifecycle_policy(**name)
    ecr.delete_lifecycle_policy(**name)
    ecr.get_authorization_token()
    ecr.describe_images(**name)
    ecr.list_images(**name)
    refused(ecr.describe_images, **name, imageIds=[{"imageTag": "v1"}])
    ecr.batch_get_image(**name, imageIds=[{"imageTag": "v1"}])
    ecr.batch_delete_image(**name, imageIds=[{"imageTag": "v1"}])
    ecr.delete_repository(**name)


def _quotas(quotas: Any) -> None:
    code = {"ServiceCode": "ec2", "QuotaCode": "L-DB2E81BA"}
    quotas.get_service_quota(**code)
    quotas.get_aws_default_service_quota(**code)
    refused(quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-00000000")
