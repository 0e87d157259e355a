"""Conditional requests, where moto does not look at the condition, or says too little of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
FAILED = "At least one of the pre-conditions you specified did not hold"
NOT_IMPLEMENTED = "A header you provided implies functionality that is not implemented"


@before("s3", "PutObject", "CompleteMultipartUpload")
def check_headers(sandbox: Sandbox, call: Call) -> None:
    """A write knows `If-None-Match: *` and an ETag in If-Match, one of them at a time."""
    match, none_match = (call.request.headers.get(name) for name in (IF_MATCH, IF_NONE_MATCH))
    if match and none_match:
        message = "Multiple conditional request headers present in the request"
        raise AwsError("NotImplemented", NOT_IMPLEMENTED, 501, Header=f"{IF_MATCH},{IF_NONE_MATCH}", additionalMessage=message)
    for name, wrong in ((IF_MATCH, match == "*"), (IF_NONE_MATCH, none_match and none_match != "*")):
        if wrong:
            message = f"We don't accept the provided value of {name} header for this API"
            raise AwsError("NotImplemented", NOT_IMPLEMENTED, 501, Header=name, additionalMessage=message)


@before("s3", "PutObject", "CopyObject", "CompleteMultipartUpload")
def check_target(sandbox: Sandbox, call: Call) -> None:
    if call.operation == "CompleteMultipartUpload" and not _uploading(call):
        return
    there = _object(call.params["Bucket"], call.params["Key"])
    if call.request.headers.get(IF_NONE_MATCH) and there is not None:
        raise AwsError("PreconditionFailed", FAILED, 412, Condition=IF_NONE_MATCH)
    match = call.request.headers.get(IF_MATCH)
    if not match or call.params["Bucket"] not in backends.s3().buckets:
        return
    if there is None:
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=call.params["Key"])
    if not _same(match, there.etag):
        raise AwsError("PreconditionFailed", FAILED, 412, Condition=IF_MATCH)


@before("s3", "CopyObject")
def check_source(sandbox: Sandbox, call: Call) -> None:
    bucket, _, key = unquote(urlsplit(call.request.headers["x-amz-copy-source"]).path).lstrip("/").partition("/")
    source = _object(bucket, key)
    if source is None:
        return
    match, none_match = (call.request.headers.get(f"x-amz-copy-source-{name.lower()}") for name in (IF_MATCH, IF_NONE_MATCH))
    if match and not _same(match, source.etag):
        raise AwsError("PreconditionFailed", FAILED, 412, Condition=f"x-amz-copy-source-{IF_MATCH}")
    if none_match and _same(none_match, source.etag):
        raise AwsError("PreconditionFailed", FAILED, 412, Condition=f"x-amz-copy-source-{IF_NONE_MATCH}")


def _object(bucket: str, key: str) -> Any | None:
    """The newest version that is no marker of a deletion."""
    if bucket not in backends.s3().buckets:
        return None
    found = backends.s3().get_object(bucket, key)
    return found if getattr(found, "etag", None) is not None else None


def _uploading(call: Call) -> bool:
    bucket = backends.s3().buckets.get(call.params["Bucket"])
    return bucket is not None and call.request.args.get("uploadId") in bucket.multiparts


def _same(asked: str, etag: str) -> bool:
    return asked == "*" or asked.strip('"') == etag.strip('"')
