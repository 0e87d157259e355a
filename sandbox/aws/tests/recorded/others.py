"""ECR, Service Quotas and the tagging API."""

from __future__ import annotations

import json
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
    _ecr(client("ecr"))
    _quotas(client("service-quotas"))
    client("resourcegroupstaggingapi").get_resources()


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
