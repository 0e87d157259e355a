"""A bucket is in one region; whoever asks in another is sent there."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import EVERY, after, before
from ..sandbox import Sandbox

EVERYWHERE = "us-east-1"  # its endpoint takes requests for all buckets, and tells which region was meant


@before("s3", EVERY)
def check_region(sandbox: Sandbox, call: Call) -> None:
    bucket = backends.s3().buckets.get(call.params.get("Bucket", ""))
    if bucket is None or bucket.region_name == call.region:
        return
    if call.region == EVERYWHERE:
        message = f"The authorization header is malformed; the region '{call.region}' is wrong; expecting '{bucket.region_name}'"
        raise _elsewhere(bucket, AwsError("AuthorizationHeaderMalformed", message, 400, Region=bucket.region_name))
    if call.operation != "CreateBucket":
        message = (
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future "
            "requests to this endpoint."
        )
        endpoint = f"{bucket.name}.s3.{bucket.region_name}.amazonaws.com"
        raise _elsewhere(bucket, AwsError("PermanentRedirect", message, 301, Endpoint=endpoint, Bucket=bucket.name))


def _elsewhere(bucket: Any, error: AwsError) -> AwsError:
    error.headers["x-amz-bucket-region"] = bucket.region_name
    return error


@after("s3", "HeadBucket")
def tell_region(sandbox: Sandbox, call: Call, response: Any) -> None:
    bucket = backends.s3().buckets[call.params["Bucket"]]
    response.headers["x-amz-bucket-region"] = bucket.region_name
    response.headers["x-amz-bucket-arn"] = bucket.arn
    response.headers["x-amz-access-point-alias"] = "false"
