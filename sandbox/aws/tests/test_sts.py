"""Signatures, EKS tokens, and sessions by web identity that may do what their role may."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from typing import Any

import boto3
import requests
from botocore.signers import RequestSigner
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from aws import backends, sts
from aws.eks import state
from aws.eks.state import AccessEntry
from aws.world import ClusterHandle

from .account import Account

SUBJECT = "system:serviceaccount:triton:triton-service-account"


class Signatures(Account):
    def test_every_service_refuses_unknown_keys_and_wrong_signatures(self) -> None:
        calls = {
            "sts": ("get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
            "iam": ("list_roles", "InvalidClientTokenId", "SignatureDoesNotMatch"),
            "elbv2": ("describe_load_balancers", "InvalidClientTokenId", "SignatureDoesNotMatch"),
            "ec2": ("describe_vpcs", "AuthFailure", "AuthFailure"),
            "s3": ("list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
            "eks": ("list_clusters", "UnrecognizedClientException", "InvalidSignatureException"),
            "ecr": ("describe_repositories", "UnrecognizedClientException", "InvalidSignatureException"),
        }
        for service, (call, unknown, wrong) in calls.items():
            with self.subTest(service):
                getattr(self.client(service), call)()
                self.refused(unknown, getattr(self.client(service, aws_access_key_id="AKIA" + "2" * 16), call))
                self.refused(wrong, getattr(self.client(service, aws_secret_access_key="wrong"), call))

    def test_a_region_that_does_not_exist_is_refused_as_the_service_refuses_it(self) -> None:
        # Messages as users of AWS show them: hashicorp/terraform-provider-aws#34865, aws/aws-sdk-js-v3#5576.
        codes = {
            "sts": ("SignatureDoesNotMatch", "get_caller_identity"),
            "ec2": ("AuthFailure", "describe_vpcs"),
            "eks": ("InvalidSignatureException", "list_clusters"),
            "ecr": ("InvalidSignatureException", "describe_repositories"),
            "s3": ("AuthorizationHeaderMalformed", "list_buckets"),
        }
        for service, (code, call) in codes.items():
            client = self.client(service, region_name="us-esat-1")
            self.assertIn("scoped to a valid region, not 'us-esat-1'", self.refused(code, getattr(client, call)))
        self.client("ec2", region_name="eu-central-1").describe_vpcs()

    def test_odd_names_are_signed_as_the_sdk_signs_them(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="odd-names")
        for key in ("a b/ü+x=1", "a//b", "per%cent", "~.-_", "q?&#"):
            s3.put_object(Bucket="odd-names", Key=key, Body=b"x")
            self.assertEqual(s3.get_object(Bucket="odd-names", Key=key)["Body"].read(), b"x")
            url = s3.generate_presigned_url("get_object", Params={"Bucket": "odd-names", "Key": key})
            self.assertEqual(urllib.request.urlopen(url).read(), b"x")
            s3.delete_object(Bucket="odd-names", Key=key)
        s3.delete_bucket(Bucket="odd-names")


class Sessions(Account):
    def keys(self, given: dict[str, str]) -> dict[str, str]:
        names = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
        return {f"aws_{name}": given[key] for key, name in names.items()}

    def test_a_session_expires(self) -> None:
        keys = self.keys(self.client("sts").get_session_token()["Credentials"])
        self.client("ec2", **keys).describe_vpcs()
        requests.post(f"http://127.0.0.1:{self.server.port}/_sandbox/expire-sessions")
        expired = {"sts": "ExpiredToken", "ec2": "RequestExpired", "s3": "ExpiredToken", "eks": "ExpiredTokenException"}
        calls = {"sts": "get_caller_identity", "ec2": "describe_vpcs", "s3": "list_buckets", "eks": "list_clusters"}
        for service, code in expired.items():
            self.refused(code, getattr(self.client(service, **keys), calls[service]))

    def test_a_user_may_do_what_the_policies_say(self) -> None:
        iam = self.client("iam")
        iam.create_user(UserName="little")
        key = iam.create_access_key(UserName="little")["AccessKey"]
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        ec2, eks = self.client("ec2", **keys), self.client("eks", **keys)
        self.client("sts", **keys).get_caller_identity()
        self.refused("UnauthorizedOperation", ec2.describe_vpcs)
        self.refused("AccessDeniedException", eks.list_clusters)
        self.refused("AccessDenied", self.client("iam", **keys).list_roles)
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
        iam.put_user_policy(UserName="little", PolicyName="p", PolicyDocument=json.dumps(allow))
        ec2.describe_vpcs()
        self.refused("UnauthorizedOperation", ec2.create_vpc, CidrBlock="10.0.0.0/16")
        iam.delete_user_policy(UserName="little", PolicyName="p")
        iam.delete_access_key(UserName="little", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="little")


class Tokens(Account):
    def setUp(self) -> None:
        super().setUp()
        self.me = self.client("sts").get_caller_identity()
        self.cluster = fake_cluster()
        state.clusters["us-east-1", "c"] = self.cluster

    def tearDown(self) -> None:
        del state.clusters["us-east-1", "c"]

    def token(self, cluster: str, secret: str | None = None) -> str:
        session = boto3.Session(self.server.access_key, secret or self.server.secret_key, region_name="us-east-1")
        client = self.client("sts")
        signer = RequestSigner(
            client.meta.service_model.service_id, "us-east-1", "sts", "v4", session.get_credentials(), session.events
        )
        request = {
            "method": "GET",
            "url": f"http://127.0.0.1:{self.server.port}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        }
        url = signer.generate_presigned_url(request, region_name="us-east-1", expires_in=60, operation_name="")
        self.url = url
        return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")

    def test_a_token_names_its_signer_through_the_access_entry(self) -> None:
        self.assertIsNone(sts.identify(self.token("c"), "c"), "no entry yet")
        entry = AccessEntry(self.me["Arn"], self.me["UserId"], "", None, self.me["Arn"], ["viewers"], "STANDARD", {})
        entry.policies["arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"] = {
            "accessScope": {"type": "cluster", "namespaces": []}
        }
        self.cluster.entries[self.me["Arn"]] = entry
        identity = sts.identify(self.token("c"), "c")
        assert identity is not None
        self.assertEqual((identity.username, identity.groups), (self.me["Arn"], ["viewers", "system:masters"]))
        self.assertIsNone(sts.identify(self.token("other"), "c"), "a token for another cluster")
        self.assertIsNone(sts.identify(self.token("c", "wrong"), "c"), "a wrong signature")
        self.assertIsNone(sts.identify("k8s-aws-v1.!!!", "c"))

    def test_the_presigned_url_is_answered_by_sts(self) -> None:
        self.token("c")
        request = urllib.request.Request(self.url, headers={"x-k8s-aws-id": "c"})
        self.assertIn(self.me["Arn"], urllib.request.urlopen(request).read().decode())
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(self.url, headers={"x-k8s-aws-id": "d"}))
        self.assertEqual(caught.exception.code, 403)


class WebIdentity(Account):
    def setUp(self) -> None:
        super().setUp()
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.cluster = fake_cluster()
        keys = KeySet([self.key]).as_dict(private=False)
        self.cluster.handle = ClusterHandle("https://x", "", lambda: keys)
        state.clusters["us-east-1", "c"] = self.cluster
        iam = self.client("iam")
        provider = iam.create_open_id_connect_provider(Url=self.cluster.issuer, ClientIDList=["sts.amazonaws.com"])
        self.provider = provider["OpenIDConnectProviderArn"]
        host = self.cluster.issuer.removeprefix("https://")
        trust = {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{host}:sub": SUBJECT, f"{host}:aud": "sts.amazonaws.com"}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        self.role_arn = iam.create_role(RoleName="pod", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        allow = [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models-b/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::models-b"},
        ]
        iam.put_role_policy(
            RoleName="pod",
            PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow}),
        )

    def tearDown(self) -> None:
        iam = self.client("iam")
        self.refused("DeleteConflict", iam.delete_role, RoleName="pod")
        iam.delete_role_policy(RoleName="pod", PolicyName="p")
        iam.delete_role(RoleName="pod")
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=self.provider)
        del state.clusters["us-east-1", "c"]

    def token(self, key: RSAKey | None = None, **changes: Any) -> str:
        claims = {
            "iss": self.cluster.issuer,
            "aud": ["sts.amazonaws.com"],
            "sub": SUBJECT,
            "exp": int(time.time()) + 600,
        }
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims | changes, key or self.key)

    def assume(self, token: str) -> dict[str, Any]:
        return self.client("sts").assume_role_with_web_identity(
            RoleArn=self.role_arn, RoleSessionName="session", WebIdentityToken=token
        )

    def test_everything_about_the_token_is_checked(self) -> None:
        other = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        bad = {
            "InvalidIdentityToken": [
                self.token(other),
                self.token(aud=["else"]),
                self.token(iss="https://else"),
                "no.token.atall",
            ],
            "AccessDenied": [self.token(sub="system:serviceaccount:triton:other")],
            "ExpiredTokenException": [self.token(exp=int(time.time()) - 10)],
        }
        for code, tokens in bad.items():
            for token in tokens:
                self.refused(code, self.assume, token=token)

    def test_a_session_may_do_what_its_role_may_and_no_more(self) -> None:
        owner = self.client("s3")
        for bucket in ("models-b", "other-b"):
            owner.create_bucket(Bucket=bucket)
            owner.put_object(Bucket=bucket, Key="k", Body=b"x")
        given = self.assume(self.token())["Credentials"]
        keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
        pod = self.client("s3", **keys)
        self.assertEqual(pod.get_object(Bucket="models-b", Key="k")["Body"].read(), b"x")
        self.assertEqual(pod.list_objects_v2(Bucket="models-b")["KeyCount"], 1)
        self.refused("NoSuchKey", pod.get_object, Bucket="models-b", Key="none")
        self.refused("AccessDenied", pod.put_object, Bucket="models-b", Key="k", Body=b"y")
        self.refused("AccessDenied", pod.get_object, Bucket="other-b", Key="k")
        self.refused("UnauthorizedOperation", self.client("ec2", **keys).describe_vpcs)
        self.assertIn("assumed-role/pod/session", self.client("sts", **keys).get_caller_identity()["Arn"])
        forged = keys | {"aws_session_token": "other"}
        self.refused("InvalidAccessKeyId", self.client("s3", **forged).list_buckets)
        for bucket in ("models-b", "other-b"):
            owner.delete_object(Bucket=bucket, Key="k")
            owner.delete_bucket(Bucket=bucket)


def fake_cluster() -> state.Cluster:
    return state.Cluster(
        name="c",
        region="us-east-1",
        arn="arn:aws:eks:us-east-1:123456789012:cluster/c",
        token=None,
        version="1.34",
        role="",
        vpc="",
        subnets=[],
        security_groups=[],
        public=True,
        private=False,
        public_cidrs=[],
        service_cidr="",
        logging={},
        mode="API",
        self_managed_addons=False,
        support="STANDARD",
        deletion_protection=False,
        issuer="https://oidc.eks.us-east-1.amazonaws.com/id/TEST",
        tags={},
        status="ACTIVE",
    )


assert backends.ACCOUNT == "123456789012"
