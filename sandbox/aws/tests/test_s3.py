"""Buckets as AWS makes and keeps them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from botocore.exceptions import ClientError
from werkzeug.http import parse_date

from .account import ACCOUNT_ID, MANAGED, Account


class Buckets(Account):
    def test_a_new_bucket_has_its_tags_and_aws_defaults(self) -> None:
        s3 = self.client("s3")
        tags = {"Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}]}
        s3.create_bucket(Bucket="bucket-1", CreateBucketConfiguration=tags)
        self.assertEqual(s3.get_bucket_tagging(Bucket="bucket-1")["TagSet"], tags["Tags"])
        block = s3.get_public_access_block(Bucket="bucket-1")["PublicAccessBlockConfiguration"]
        self.assertEqual(set(block.values()), {True})
        (rule,) = s3.get_bucket_encryption(Bucket="bucket-1")["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
        s3.create_bucket(Bucket="bucket-1")
        self.assertEqual(s3.get_bucket_tagging(Bucket="bucket-1")["TagSet"], tags["Tags"])
        s3.delete_bucket(Bucket="bucket-1")

    def test_a_bucket_with_anything_in_it_stays(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket-2")
        s3.put_bucket_versioning(Bucket="bucket-2", VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket="bucket-2", Key="k", Body=b"x")["VersionId"]
        marker = s3.delete_object(Bucket="bucket-2", Key="k")["VersionId"]
        self.refused("BucketNotEmpty", s3.delete_bucket, Bucket="bucket-2")
        for version in (first, marker):
            s3.delete_object(Bucket="bucket-2", Key="k", VersionId=version)
        s3.delete_bucket(Bucket="bucket-2")

    def test_the_wrong_owner_is_refused(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket-3")
        s3.list_objects_v2(Bucket="bucket-3", ExpectedBucketOwner=ACCOUNT_ID)
        other = {"Bucket": "bucket-3", "ExpectedBucketOwner": "999999999999"}
        self.refused("AccessDenied", s3.list_objects_v2, **other)
        self.refused("AccessDenied", s3.delete_bucket, **other)
        s3.delete_bucket(Bucket="bucket-3")

    def test_conditional_puts_are_conditional(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket-4")
        key = {"Bucket": "bucket-4", "Key": "lock"}
        tag = s3.put_object(**key, Body=b"one", IfNoneMatch="*")["ETag"]
        self.refused("PreconditionFailed", s3.put_object, **key, Body=b"two", IfNoneMatch="*")
        renewed = s3.put_object(**key, Body=b"three", IfMatch=tag)["ETag"]
        self.refused("PreconditionFailed", s3.put_object, **key, Body=b"four", IfMatch=tag)
        self.refused("PreconditionFailed", s3.delete_object, **key, IfMatch=tag)
        s3.delete_object(**key, IfMatch=renewed)
        s3.delete_bucket(Bucket="bucket-4")

    def test_a_conditional_put_of_what_is_not_there_is_not_found(self) -> None:
        s3 = self.client("s3")
        self.refused("NoSuchBucket", s3.put_object, Bucket="bucket-6", Key="lock", Body=b"x", IfNoneMatch="*")
        s3.create_bucket(Bucket="bucket-6")
        key = {"Bucket": "bucket-6", "Key": "lock"}
        tag = s3.put_object(**key, Body=b"one")["ETag"]
        s3.delete_object(**key)
        self.assertEqual(self.status(s3.put_object, **key, Body=b"two", IfMatch=tag), (404, "NoSuchKey"))
        self.assertEqual(s3.list_objects_v2(Bucket="bucket-6")["KeyCount"], 0)
        s3.put_object(**key, Body=b"three", IfNoneMatch="*")
        self.assertEqual(self.status(s3.put_object, **key, Body=b"four", IfMatch=tag), (412, "PreconditionFailed"))
        s3.delete_object(**key)
        s3.delete_bucket(Bucket="bucket-6")

    def test_of_many_puts_at_once_where_nothing_is_one_succeeds(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket-7")

        def put(content: int) -> int:
            try:
                s3.put_object(Bucket="bucket-7", Key="lock", Body=str(content).encode(), IfNoneMatch="*")
                return 200
            except ClientError as error:
                return error.response["ResponseMetadata"]["HTTPStatusCode"]

        with ThreadPoolExecutor(8) as at_once:
            self.assertEqual(sorted(at_once.map(put, range(8))), [200] + [412] * 7)
        s3.delete_object(Bucket="bucket-7", Key="lock")
        s3.delete_bucket(Bucket="bucket-7")

    def test_dates_are_those_of_s3_whatever_the_clocks_of_its_clients_say(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket-8")
        key = {"Bucket": "bucket-8", "Key": "lock"}

        def age() -> float:
            answer = s3.get_object(**key)
            date = parse_date(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            return (date - answer["LastModified"]).total_seconds()

        self.addCleanup(self.ahead, 0)
        s3.put_object(**key, Body=b"one")
        self.assertLess(age(), 5)
        self.ahead(7200)
        self.assertGreaterEqual(age(), 7195)
        s3.put_object(**key, Body=b"two")
        self.assertLess(age(), 5)
        s3.delete_object(**key)
        s3.delete_bucket(Bucket="bucket-8")

    def test_who_compares_with_what_is_there_must_be_allowed_to_read_it(self) -> None:
        s3, iam = self.client("s3"), self.client("iam")
        s3.create_bucket(Bucket="bucket-9")
        tag = s3.put_object(Bucket="bucket-9", Key="lock", Body=b"one")["ETag"]
        iam.create_user(UserName="writer")
        allow = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName="writer", PolicyName="p", PolicyDocument=document)
        keys = iam.create_access_key(UserName="writer")["AccessKey"]
        writer = self.client("s3", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"])
        key = {"Bucket": "bucket-9", "Key": "lock"}
        self.refused("AccessDenied", writer.put_object, **key, Body=b"two", IfMatch=tag)
        self.refused("AccessDenied", writer.delete_object, **key, IfMatch=tag)
        writer.delete_object(**key)
        iam.delete_access_key(UserName="writer", AccessKeyId=keys["AccessKeyId"])
        iam.delete_user_policy(UserName="writer", PolicyName="p")
        iam.delete_user(UserName="writer")
        s3.delete_bucket(Bucket="bucket-9")

    def ahead(self, seconds: float) -> None:
        requests.post(f"http://127.0.0.1:{self.server.port}/_sandbox/ahead?seconds={seconds}").raise_for_status()

    def status(self, call: Callable[..., Any], **params: Any) -> tuple[int, str]:
        with self.assertRaises(ClientError) as caught:
            call(**params)
        answer = caught.exception.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]

    def test_a_wrong_checksum_is_refused(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bucket-5")
        wrong = base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode()
        self.refused("BadDigest", s3.put_object, Bucket="bucket-5", Key="k", Body=b"x", ChecksumCRC32=wrong)
        for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA256"):
            s3.put_object(Bucket="bucket-5", Key="k", Body=b"x" * 1000, ChecksumAlgorithm=algorithm)
        self.assertEqual(s3.get_object(Bucket="bucket-5", Key="k")["Body"].read(), b"x" * 1000)
        s3.delete_object(Bucket="bucket-5", Key="k")
        s3.delete_bucket(Bucket="bucket-5")


class Iam(Account):
    def test_what_is_attached_is_not_deleted(self) -> None:
        iam = self.client("iam")
        allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        policy = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
        self.role("r", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
        self.refused("DeleteConflict", iam.delete_role, RoleName="r")
        iam.detach_role_policy(RoleName="r", PolicyArn=MANAGED + "AmazonEKSWorkerNodePolicy")
        iam.attach_role_policy(RoleName="r", PolicyArn=policy)
        self.assertIn("r", self.refused("DeleteConflict", iam.delete_policy, PolicyArn=policy))
        iam.detach_role_policy(RoleName="r", PolicyArn=policy)
        iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=document)
        self.refused("DeleteConflict", iam.delete_role, RoleName="r")
        iam.delete_role_policy(RoleName="r", PolicyName="inline")
        iam.delete_role(RoleName="r")
        iam.delete_policy(PolicyArn=policy)

    def test_a_provider_gets_a_thumbprint(self) -> None:
        iam = self.client("iam")
        made = iam.create_open_id_connect_provider(Url="https://issuer.example/id/1", ClientIDList=["sts.amazonaws.com"])
        arn = made["OpenIDConnectProviderArn"]
        self.assertEqual(len(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ThumbprintList"]), 1)
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
