"""Where the local AWS is known to answer otherwise than the real one, and why that stays so."""

from __future__ import annotations

from .corpus import Operation

# Operations that the sandbox does not have.
NOT_HERE: dict[Operation, str] = {
    ("eks", "CreatePodIdentityAssociation"): "the product gives pods their roles by OIDC",
    ("eks", "DescribePodIdentityAssociation"): "the product gives pods their roles by OIDC",
    ("eks", "ListPodIdentityAssociations"): "the product gives pods their roles by OIDC",
    ("eks", "UpdateClusterVersion"): "one Kubernetes version is built",
    ("iam", "SimulatePrincipalPolicy"): "nobody asks; moto fails",
    ("pricing", "GetAttributeValues"): "prices are in the product",
    ("pricing", "GetProducts"): "prices are in the product",
    ("service-quotas", "ListAWSDefaultServiceQuotas"): "the product asks for quotas one by one",
    ("service-quotas", "ListServiceQuotas"): "the product asks for quotas one by one",
    ("service-quotas", "RequestServiceQuotaIncrease"): "the product asks for no more",
}

# Keys that AWS's answers have and ours lack, by operation.
KEYS: dict[Operation, dict[str, str]] = {
    ("elbv2", "CreateTargetGroup"): {
        "TargetGroups[].HealthCheckPath": "with HTTP health checks alone",
        "TargetGroups[].Matcher": "with HTTP health checks alone",
    },
    ("eks", "CreateAddon"): {"addon.serviceAccountRoleArn": "null where none is asked for"},
    ("ec2", "DescribeNatGateways"): {
        "NatGateways[].NatGatewayAddresses[].PublicIp": "one that failed because its address is taken shows none (DescribeNatGateways/03)"
    },
}

# Errors, by operation and code, that nothing here can provoke.
ERRORS: dict[tuple[Operation, str], str] = {
    (("ec2", "CreateVpc"), "VpcLimitExceeded"): "no quotas but those of vCPUs, unless a test arms them",
    (("ec2", "AllocateAddress"), "AddressLimitExceeded"): "no quotas but those of vCPUs, unless a test arms them",
    (("s3", "CreateBucket"), "BucketAlreadyExists"): "there is one account",
    (("s3", "PutObject"), "ConditionalRequestConflict"): "one call at a time is applied here",
    (("s3", "CreateBucket"), "OperationAborted"): "there is no eventual consistency here: a deleted bucket's name is free at once",
}
