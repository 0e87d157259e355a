"""Whose bucket is it, its tags from birth, and what AWS sets on every new one."""

from __future__ import annotations

from typing import Any

import xmltodict
from moto.s3.models import PublicAccessBlock

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import EVERY, after, before
from ..sandbox import Sandbox


@before("s3", EVERY)
def check_owner(sandbox: Sandbox, call: Call) -> None:
    expected = call.request.headers.get("x-amz-expected-bucket-owner")
    exists = call.params.get("Bucket") in backends.s3().buckets
    if expected and exists and expected != backends.ACCOUNT:
        raise AwsError("AccessDenied", "Access Denied", 403)


@before("s3", "CreateBucket")
def remember_whether_new(sandbox: Sandbox, call: Call) -> None:
    call.notes["new"] = call.params["Bucket"] not in backends.s3().buckets


@after("s3", "CreateBucket")
def finish(sandbox: Sandbox, call: Call, response: Any) -> None:
    if not call.notes["new"]:
        return  # made again by its owner in us-east-1: nothing changes
    bucket = backends.s3().buckets[call.params["Bucket"]]
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    bucket.ownership_rule = bucket.ownership_rule or "BucketOwnerEnforced"
    bucket.encryption = {
        "Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}
    }
    if tags := _tags(call.request.get_data()):
        backends.s3().put_bucket_tagging(bucket.name, tags)


@after("s3", "PutBucketTagging")
def keep_empty_values(sandbox: Sandbox, call: Call, response: Any) -> None:
    """moto takes an empty value for none."""
    tags = backends.s3().tagger.tags.get(f"arn:aws:s3:::{call.params['Bucket']}", {})
    tags.update({key: "" for key, value in tags.items() if value is None})


@after("s3", "DeleteBucket")
def forget_tags(sandbox: Sandbox, call: Call, response: Any) -> None:
    """moto would give them to the next bucket of that name."""
    backends.s3().tagger.delete_all_tags_for_resource(f"arn:aws:s3:::{call.params['Bucket']}")


def _tags(body: bytes) -> dict[str, str]:
    """CreateBucketConfiguration's Tags, which moto does not read."""
    if not body:
        return {}
    configuration = xmltodict.parse(body, force_list=("Tag",)).get("CreateBucketConfiguration") or {}
    return {tag["Key"]: tag["Value"] or "" for tag in (configuration.get("Tags") or {}).get("Tag", [])}
