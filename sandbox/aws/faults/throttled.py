"""How each service says that it is asked too often."""

from __future__ import annotations

from ..call import Call
from ..errors import AwsError

# Code, message, status. EC2: "Error codes for the Amazon EC2 API"; S3: "Error responses"; EKS and the tagging API: botocore's
# models; IAM and STS: re:Post, "How do I resolve API throttling or Rate exceeded errors for IAM and AWS STS?"; ECR:
# ecr-user-guide, "Troubleshooting Amazon ECR error messages".
ERRORS = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "eks": ("ThrottlingException", "Rate exceeded", 429),
    "iam": ("Throttling", "Rate exceeded", 400),
    "sts": ("Throttling", "Rate exceeded", 400),
    "elbv2": ("Throttling", "Rate exceeded", 400),
    "resourcegroupstaggingapi": ("ThrottledException", "Rate exceeded", 400),
    "service-quotas": ("TooManyRequestsException", "Rate exceeded", 400),
}
OTHERS = ("ThrottlingException", "Rate exceeded", 400)


def error(call: Call) -> AwsError:
    return AwsError(*ERRORS.get(call.service, OTHERS))
