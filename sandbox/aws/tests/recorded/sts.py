"""Who calls, sessions of roles, and what somebody without permissions is told."""

from __future__ import annotations

import datetime
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from aws.eks import state
from aws.world import ClusterHandle

from ..test_sts import fake_cluster
from .recorder import refused

SUBJECT = "system:serviceaccount:triton:gateway"
AUDIENCE = "sts.amazonaws.com"


def play(client: Callable[..., Any]) -> None:
    sts, iam = client("sts"), client("iam")
    sts.get_caller_identity()
    refused(sts.assume_role, RoleArn="nothing-valid-in-here", RoleSessionName="session")
    allow = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    arn = iam.create_role(RoleName="assumed", AssumeRolePolicyDocument=text)["Role"]["Arn"]
    sts.assume_role(RoleArn=arn, RoleSessionName="session")
    refused(sts.assume_role, RoleArn=arn + "-missing", RoleSessionName="session")
    iam.delete_role(RoleName="assumed")
    _clock(client)
    _denied(client)
    _web_identity(client)


def _clock(client: Callable[..., Any]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for hours in (-1, 1):
        with mock.patch("botocore.crt.auth.get_current_datetime", return_value=now + datetime.timedelta(hours=hours)):
            refused(client("sts").get_caller_identity)
            refused(client("ec2").describe_vpcs)
            refused(client("eks").list_clusters)
            refused(client("s3").list_buckets)


def _denied(client: Callable[..., Any]) -> None:
    iam = client("iam")
    name = f"nobody-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    refused(client("ec2", **keys).describe_vpcs)
    refused(client("eks", **keys).describe_cluster, name="example")
    s3 = client("s3", **keys)
    for call in (s3.put_object, s3.get_object, s3.head_object, s3.delete_object):
        refused(call, Bucket="example-bucket-1", Key="k")
    for call in (s3.list_objects_v2, s3.head_bucket, s3.get_bucket_tagging, s3.create_bucket, s3.list_object_versions, s3.delete_bucket):
        refused(call, Bucket="example-bucket-1")
    refused(client("sts", **keys).assume_role, RoleArn="arn:aws:iam::123456789012:role/example-1", RoleSessionName="session")
    iam.delete_access_key(UserName=name, AccessKeyId=made["AccessKeyId"])
    iam.delete_user(UserName=name)


def _web_identity(client: Callable[..., Any]) -> None:
    iam, sts = client("iam"), client("sts")
    key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
    keys = KeySet([key]).as_dict(private=False)
    cluster = fake_cluster()
    host = cluster.issuer.removeprefix("https://")
    provider = f"arn:aws:iam::123456789012:oidc-provider/{host}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{host}:sub": SUBJECT, f"{host}:aud": AUDIENCE}},
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="pod", AssumeRolePolicyDocument=text)["Role"]["Arn"]

    def token(**changes: Any) -> dict[str, str]:
        claims = {"iss": cluster.issuer, "aud": [AUDIENCE], "sub": SUBJECT, "exp": int(time.time()) + 600} | changes
        words = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        return {"RoleArn": role, "RoleSessionName": "session", "WebIdentityToken": words}

    assume = sts.assume_role_with_web_identity
    refused(assume, **token())
    iam.create_open_id_connect_provider(Url=cluster.issuer, ClientIDList=[AUDIENCE])
    refused(assume, **token())
    cluster.handle = ClusterHandle("https://x", "", lambda: keys)
    state.clusters["us-east-1", "c"] = cluster
    assume(**token())
    refused(assume, **token(aud=["else"]))
    refused(assume, **token(sub="system:serviceaccount:triton:other"))
    refused(assume, **token(exp=int(time.time()) - 10))
    refused(assume, **token() | {"WebIdentityToken": "no.token.atall"})
    refused(assume, **token() | {"RoleArn": role + "-missing"})
    del state.clusters["us-east-1", "c"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    iam.delete_role(RoleName="pod")
