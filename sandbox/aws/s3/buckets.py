"""Whose bucket is it, what may it be called, its tags from birth, and what AWS sets on every new one."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import xmltodict
from moto.s3.models import PublicAccessBlock

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import EVERY, after, before
from ..sandbox import Sandbox

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@before("s3", EVERY)
def check_owner(sandbox: Sandbox, call: Call) -> None:
    expected = call.request.headers.get("x-amz-expected-bucket-owner")
    exists = call.params.get("Bucket") in backends.s3().buckets
    if expected and exists and expected != backends.ACCOUNT:
        raise AwsError("AccessDenied", "Access Denied", 403)


@before("s3", "CreateBucket")
def check_new(sandbox: Sandbox, call: Call) -> None:
    name = call.params["Bucket"]
    if not _is_name(name):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", 400, BucketName=name)
    configuration = _configuration(call.request.get_data())
    tags = (configuration.get("Tags") or {}).get("Tag", [])
    if any(tag["Key"].lower().startswith("aws:") for tag in tags):
        message = (
            "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. Remove \"aws:\" from "
            "your tag keys and try again."
        )
        raise AwsError("InvalidTag", message, 400)
    if len({tag["Key"] for tag in tags}) < len(tags):
        raise AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
    _check_location(call.region, configuration.get("LocationConstraint"))
    call.notes["new"] = name not in backends.s3().buckets
    # In us-east-1 alone the owner may make it again, and not with tags: S3 User Guide, and its answers of 2026-02.
    if not call.notes["new"] and (tags or call.region != "us-east-1"):
        message = "Your previous request to create the named bucket succeeded and you already own it."
        raise AwsError("BucketAlreadyOwnedByYou", message, 409, BucketName=name)


def _is_name(name: str) -> bool:
    if not NAME.fullmatch(name) or ".." in name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


def _check_location(region: str, wanted: str | None) -> None:
    if wanted is not None and (wanted == "us-east-1" or wanted not in backends.REGIONS | {"EU"}):
        message = "The specified location-constraint is not valid"
        raise AwsError("InvalidLocationConstraint", message, 400, LocationConstraint=wanted)
    if region != "us-east-1" and wanted != region:
        which = f"{wanted} location" if wanted else "unspecified location"
        message = f"The {which} constraint is incompatible for the region specific endpoint this request was sent to."
        raise AwsError("IllegalLocationConstraintException", message, 400)


@after("s3", "CreateBucket")
def finish(sandbox: Sandbox, call: Call, response: Any) -> None:
    bucket = backends.s3().buckets[call.params["Bucket"]]
    response.headers["x-amz-bucket-arn"] = bucket.arn
    if not call.notes["new"]:
        return  # made again by its owner in us-east-1: nothing changes
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    bucket.ownership_rule = bucket.ownership_rule or "BucketOwnerEnforced"
    bucket.encryption = {
        "Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}
    }
    tags = (_configuration(call.request.get_data()).get("Tags") or {}).get("Tag", [])
    if tags:
        backends.s3().put_bucket_tagging(bucket.name, {tag["Key"]: tag["Value"] or "" for tag in tags})


@before("s3", "PutBucketTagging")
def check_tags(sandbox: Sandbox, call: Call) -> None:
    if call.params["Bucket"] not in backends.s3().buckets:
        return
    tagging = xmltodict.parse(call.request.get_data(), force_list=("Tag",)).get("Tagging") or {}
    seen: set[str] = set()
    for tag in (tagging.get("TagSet") or {}).get("Tag", []):
        if tag["Key"].lower().startswith("aws:"):
            raise AwsError("InvalidTag", "System tags cannot be added/updated by requester", 400, TagKey=tag["Key"])
        if tag["Key"] in seen:
            raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key", 400, TagKey=tag["Key"])
        seen.add(tag["Key"])


@after("s3", "PutBucketTagging")
def keep_empty_values(sandbox: Sandbox, call: Call, response: Any) -> None:
    """moto takes an empty value for none."""
    tags = backends.s3().tagger.tags.get(f"arn:aws:s3:::{call.params['Bucket']}", {})
    tags.update({key: "" for key, value in tags.items() if value is None})


@after("s3", "DeleteBucket")
def forget_tags(sandbox: Sandbox, call: Call, response: Any) -> None:
    """moto would give them to the next bucket of that name."""
    backends.s3().tagger.delete_all_tags_for_resource(f"arn:aws:s3:::{call.params['Bucket']}")


def _configuration(body: bytes) -> dict[str, Any]:
    """CreateBucketConfiguration; moto does not read its Tags."""
    return (xmltodict.parse(body, force_list=("Tag",)).get("CreateBucketConfiguration") or {}) if body else {}


@before("s3", "GetPublicAccessBlock")
def check_block(sandbox: Sandbox, call: Call) -> None:
    """moto does not say of which bucket."""
    bucket = backends.s3().buckets.get(call.params["Bucket"])
    if bucket is not None and bucket.public_access_block is None:
        message = "The public access block configuration was not found"
        raise AwsError("NoSuchPublicAccessBlockConfiguration", message, 404, BucketName=bucket.name)
