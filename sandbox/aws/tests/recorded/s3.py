"""S3, in every situation of the corpus that needs no second account."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from .recorder import asked, refused

MISSING = "does-not-exist-localstack-test"


def play(client: Callable[..., Any]) -> None:
    s3 = client("s3")
    _buckets(s3, client)
    s3.create_bucket(Bucket="example-bucket-1", CreateBucketConfiguration={"Tags": [{"Key": "tag1", "Value": "value1"}]})
    other = client("s3", region_name="us-west-1")
    other.create_bucket(Bucket="example-bucket-2", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    _other_regions(s3, other, client)
    _settings(s3)
    _objects(s3)
    _conditions(s3)
    _checksums(s3)
    _multipart(s3)
    _listings(s3)
    _nothing_there(s3)
    s3.delete_bucket(Bucket="example-bucket-1")
    other.delete_bucket(Bucket="example-bucket-2")


def _buckets(s3: Any, client: Callable[..., Any]) -> None:
    def create(**configuration: Any) -> None:
        refused(s3.create_bucket, Bucket="example-bucket-1", CreateBucketConfiguration=configuration)

    create(Tags=[{"Key": "aws:test", "Value": "value1"}])
    create(Tags=[{"Key": "key1", "Value": "value1"}] * 2)
    create(LocationConstraint="us-east-1")
    create(LocationConstraint="nowhere-1")
    anything = client("s3", unchecked=True)
    malformed = {"Tags": [{"Key": "key1"}]}
    refused(anything.create_bucket, Bucket="example-bucket-1", CreateBucketConfiguration=malformed)
    refused(client("s3", region_name="us-east-2").create_bucket, Bucket="example-bucket-1")
    west = client("s3", region_name="us-west-1")
    refused(west.create_bucket, Bucket="example-bucket-1", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    for name in ("Upper.Case", "a_b", "192.168.0.1"):
        refused(s3.create_bucket, Bucket=name)
    s3.create_bucket(Bucket="example-bucket-1")
    s3.create_bucket(Bucket="example-bucket-1")
    create(Tags=[{"Key": "tag1", "Value": "value1"}])
    s3.delete_bucket(Bucket="example-bucket-1")
    refused(s3.delete_bucket, Bucket=MISSING)
    west.create_bucket(Bucket="example-bucket-3", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    refused(west.create_bucket, Bucket="example-bucket-3", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})
    s3.list_buckets()
    s3.list_buckets(BucketRegion="us-west-1", Prefix="example")
    s3.create_bucket(Bucket="example-bucket-4")
    token = s3.list_buckets(MaxBuckets=1)["ContinuationToken"]
    assert s3.list_buckets(MaxBuckets=1, ContinuationToken=token)["Buckets"][0]["Name"] == "example-bucket-4"
    refused(s3.list_buckets, BucketRegion="eu-east-1")
    refused(s3.list_buckets, ContinuationToken="nonsense")
    west.delete_bucket(Bucket="example-bucket-3")
    s3.delete_bucket(Bucket="example-bucket-4")


def _other_regions(s3: Any, other: Any, client: Callable[..., Any]) -> None:
    for region in ("us-east-1", "us-east-2"):
        for name in ("list_objects_v2", "get_bucket_tagging", "head_bucket", "list_object_versions", "get_public_access_block"):
            # A new client each: botocore remembers where a bucket was found.
            asked(getattr(client("s3", region_name=region), name), Bucket="example-bucket-2")
        asked(client("s3", region_name=region).get_object, Bucket="example-bucket-2", Key="k")
    s3.head_bucket(Bucket="example-bucket-1")
    other.head_bucket(Bucket="example-bucket-2")
    s3.get_bucket_location(Bucket="example-bucket-1")
    other.get_bucket_location(Bucket="example-bucket-2")
    taken = {"Bucket": "example-bucket-2", "CreateBucketConfiguration": {"LocationConstraint": "us-west-1"}}
    refused(other.create_bucket, **taken)
    asked(s3.create_bucket, Bucket="example-bucket-2")


def _settings(s3: Any) -> None:
    bucket = {"Bucket": "example-bucket-1"}
    s3.get_bucket_tagging(**bucket)
    tags = [{"Key": "Key1", "Value": "1"}, {"Key": "Key2", "Value": ""}]
    s3.put_bucket_tagging(**bucket, Tagging={"TagSet": tags})
    s3.get_bucket_tagging(**bucket)
    refused(s3.put_bucket_tagging, **bucket, Tagging={"TagSet": [{"Key": "aws:prefixed", "Value": "x"}]})
    refused(s3.put_bucket_tagging, **bucket, Tagging={"TagSet": [tags[0], tags[0]]})
    s3.delete_bucket_tagging(**bucket)
    refused(s3.get_bucket_tagging, **bucket)
    s3.get_public_access_block(**bucket)
    off = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False)
    s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=off)
    s3.get_public_access_block(**bucket)
    s3.delete_public_access_block(**bucket)
    refused(s3.get_public_access_block, **bucket)
    refused(s3.put_public_access_block, **bucket, PublicAccessBlockConfiguration={})
    s3.get_bucket_encryption(**bucket)


def _objects(s3: Any) -> None:
    key = {"Bucket": "example-bucket-1", "Key": "camelCaseKey"}
    refused(s3.get_object, **key)
    refused(s3.head_object, **key)
    made = s3.put_object(**key, Body=b"test1234", Metadata={"a": "b"})
    refused(s3.delete_bucket, Bucket="example-bucket-1")
    tag = made["ETag"]
    s3.get_object(**key)
    s3.head_object(**key)
    s3.get_object(**key, Range="bytes=0-3")
    s3.head_object(**key, ChecksumMode="ENABLED")
    s3.get_object(**key, ChecksumMode="ENABLED")
    refused(s3.get_object, **key, IfMatch='"other"')
    refused(s3.head_object, **key, IfMatch='"other"')
    refused(s3.get_object, **key, IfNoneMatch=tag)
    refused(s3.head_object, **key, IfNoneMatch=tag)
    refused(s3.get_object, **key, Range="bytes=1024-4096")
    refused(s3.head_object, **key, Range="bytes=1024-4096")
    refused(s3.get_object, **key, VersionId="nonsense")
    refused(s3.head_object, **key, VersionId="nonsense")
    refused(s3.delete_object, **key, VersionId="nonsense")
    refused(s3.get_object, **key, PartNumber=2)
    refused(s3.put_object, Bucket=key["Bucket"], Key="k" * 1025)
    refused(s3.put_object, **key, StorageClass="NONSENSE")
    source = {"CopySource": {"Bucket": key["Bucket"], "Key": key["Key"]}, "Bucket": key["Bucket"]}
    s3.copy_object(**source, Key="copy")
    s3.copy_object(**source, Key="copy-2", IfNoneMatch="*")
    refused(s3.copy_object, **source, Key="copy", IfNoneMatch="*")
    refused(s3.copy_object, **source, Key="copy", CopySourceIfMatch='"other"')
    refused(s3.copy_object, **source, Key="copy", CopySourceIfNoneMatch=tag)
    refused(s3.copy_object, Bucket=key["Bucket"], Key="copy", CopySource={"Bucket": key["Bucket"], "Key": "nothing"})
    refused(s3.copy_object, Bucket=key["Bucket"], Key="copy", CopySource={"Bucket": MISSING, "Key": "nothing"})
    refused(s3.delete_objects, Bucket=MISSING, Delete={"Objects": [{"Key": "copy"}]})
    s3.delete_objects(Bucket=key["Bucket"], Delete={"Objects": [{"Key": "k", "VersionId": "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"}]})
    for name in ("copy", "copy-2", key["Key"]):
        s3.delete_object(Bucket=key["Bucket"], Key=name)


def _conditions(s3: Any) -> None:
    key = {"Bucket": "example-bucket-1", "Key": "lock"}
    refused(s3.put_object, **key, IfMatch='"other"', Body=b"x")
    refused(s3.put_object, **key, IfNoneMatch="abc", Body=b"x")
    refused(s3.put_object, **key, IfMatch="*", Body=b"x")
    tag = s3.put_object(**key, IfNoneMatch="*", Body=b"x")["ETag"]
    refused(s3.put_object, **key, IfNoneMatch="*", Body=b"x")
    refused(s3.put_object, **key, IfMatch='"other"', Body=b"x")
    refused(s3.put_object, **key, IfMatch=tag, IfNoneMatch="*", Body=b"x")
    refused(s3.delete_object, **key, IfMatch='"other"')
    s3.delete_object(**key, IfMatch=tag)


def _checksums(s3: Any) -> None:
    key, body = {"Bucket": "example-bucket-1", "Key": "sum"}, b"test"
    right = base64.b64encode(hashlib.sha256(body).digest()).decode()
    s3.put_object(**key, Body=body, ChecksumSHA256=right)
    s3.head_object(**key, ChecksumMode="ENABLED")
    s3.put_object(**key, Body=body, ChecksumAlgorithm="CRC32")
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    refused(s3.put_object, **key, Body=body, ChecksumSHA256=wrong)
    refused(s3.put_object, **key, Body=body, ChecksumSHA256="nonsense")
    refused(s3.put_object, **key, Body=body, ChecksumCRC32=base64.b64encode(b"1234").decode())
    refused(s3.put_object, **key, Body=body, ChecksumCRC32="nonsense")
    refused(s3.put_object, **key, Body=body, ChecksumSHA256=right, ChecksumCRC32="2H9+DA==")
    refused(s3.put_object, **key, Body=body, ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode())
    refused(s3.put_object, **key, Body=body, ContentMD5="nonsense")
    s3.delete_object(**key)


def _multipart(s3: Any) -> None:
    key = {"Bucket": "example-bucket-1", "Key": "test-precondition"}
    nothing = key | {"UploadId": "fakeid"}
    part = {"PartNumber": 1, "ETag": '"d41d8cd98f00b204e9800998ecf8427e"'}
    refused(s3.abort_multipart_upload, **nothing)
    refused(s3.upload_part, **nothing, PartNumber=1, Body=b"x")
    refused(s3.list_parts, **nothing)
    refused(s3.complete_multipart_upload, **nothing, MultipartUpload={"Parts": [part]})
    refused(s3.create_multipart_upload, **key, ChecksumAlgorithm="SHA3")
    refused(s3.create_multipart_upload, Bucket=MISSING, Key="k")
    s3.list_multipart_uploads(Bucket=key["Bucket"])
    summed = key | {"UploadId": s3.create_multipart_upload(**key, ChecksumAlgorithm="SHA256")["UploadId"]}
    refused(s3.upload_part, **summed, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    s3.abort_multipart_upload(**summed)
    upload = key | {"UploadId": s3.create_multipart_upload(**key)["UploadId"]}
    s3.list_multipart_uploads(Bucket=key["Bucket"])
    refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [part]})
    refused(s3.complete_multipart_upload, **upload)
    parts = []
    for number in (1, 2):
        made = s3.upload_part(**upload, PartNumber=number, Body=b"x")
        parts.append({"PartNumber": number, "ETag": made["ETag"]})
    refused(s3.upload_part, **upload, PartNumber=10001, Body=b"x")
    s3.list_parts(**upload)
    refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[::-1]})
    refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts})
    s3.put_object(**key, Body=b"x")
    refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[:1]}, IfNoneMatch="*")
    refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[:1]}, IfMatch='"other"')
    # Whoever deletes while a conditional upload runs makes it fail.
    s3.delete_object(**key)
    refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[:1]}, IfMatch='"other"')
    refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[:1]}, IfNoneMatch="*")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts[:1]})
    s3.head_object(**key)
    s3.delete_object(**key)


def _listings(s3: Any) -> None:
    bucket = {"Bucket": "example-bucket-1"}
    s3.list_objects_v2(**bucket)
    s3.list_object_versions(**bucket)
    for name in ("a/1", "a/2", "b"):
        s3.put_object(**bucket, Key=name, Body=b"x")
    s3.list_objects_v2(**bucket)
    s3.list_object_versions(**bucket)
    s3.list_objects_v2(**bucket, FetchOwner=True)
    s3.list_objects_v2(**bucket, Delimiter="/", Prefix="a")
    token = s3.list_objects_v2(**bucket, MaxKeys=1)["NextContinuationToken"]
    s3.list_objects_v2(**bucket, MaxKeys=1, ContinuationToken=token)
    s3.list_objects_v2(**bucket, StartAfter="a")
    refused(s3.list_objects_v2, **bucket, ContinuationToken="nonsense")
    refused(s3.list_objects_v2, **bucket, ContinuationToken="")
    refused(s3.list_object_versions, **bucket, VersionIdMarker="x")
    s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.get_bucket_versioning(**bucket)
    s3.put_object(**bucket, Key="b", Body=b"y")
    s3.delete_object(**bucket, Key="b")
    refused(s3.get_object, **bucket, Key="b")
    found = s3.list_object_versions(**bucket)
    s3.list_object_versions(**bucket, MaxKeys=1)
    refused(s3.get_object, **bucket, Key="b", VersionId=found["DeleteMarkers"][0]["VersionId"])
    every = [*found["Versions"], *found["DeleteMarkers"]]
    objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in every]
    s3.delete_object(**bucket, **objects.pop())
    s3.delete_objects(**bucket, Delete={"Objects": objects})


def _nothing_there(s3: Any) -> None:
    bucket = {"Bucket": MISSING}
    refused(s3.head_bucket, **bucket)
    for call in (s3.get_bucket_tagging, s3.get_public_access_block, s3.get_bucket_location, s3.get_bucket_versioning):
        refused(call, **bucket)
    for call in (s3.list_objects_v2, s3.list_object_versions, s3.list_multipart_uploads, s3.get_bucket_encryption):
        refused(call, **bucket)
    refused(s3.put_bucket_tagging, **bucket, Tagging={"TagSet": []})
    for call in (s3.get_object, s3.head_object, s3.delete_object, s3.put_object):
        refused(call, **bucket, Key="k")
