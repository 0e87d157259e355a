"""Listings: keys that XML cannot write come as URLs write them, for whoever asks with encoding-type=url; and their pages."""

from __future__ import annotations

import base64
import html
import re
from typing import Any
from urllib.parse import quote_plus

from moto.s3.models import OWNER

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import after, before, handles
from ..sandbox import Sandbox

KEYS = re.compile(r"<(Key|Prefix|KeyMarker|NextKeyMarker)>(.*?)</\1>", re.S)
MOST_BUCKETS = 10000


@after("s3", "ListObjectVersions", "ListMultipartUploads")
def encode_keys(sandbox: Sandbox, call: Call, response: Any) -> None:
    """moto does it for ListObjects and ListObjectsV2 only."""
    if call.request.args.get("encoding-type") != "url":
        return
    encoded = KEYS.sub(lambda key: f"<{key[1]}>{quote_plus(html.unescape(key[2]), safe='/')}</{key[1]}>", response.get_data(as_text=True))
    closing = re.compile(r"</(ListVersionsResult|ListMultipartUploadsResult)>")
    response.set_data(closing.sub(r"<EncodingType>url</EncodingType></\1>", encoded))


@handles("s3", "ListBuckets")
def list_buckets(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """moto knows no pages, no regions and no ARNs."""
    asked = call.request.args
    region, prefix, token = asked.get("bucket-region"), asked.get("prefix", ""), asked.get("continuation-token")
    if region and region not in backends.REGIONS:
        message = f"Argument value {region} is not a valid AWS Region"
        raise AwsError("InvalidArgument", message, 400, ArgumentName="bucket-region")
    most = int(asked.get("max-buckets") or MOST_BUCKETS)
    if not 1 <= most <= MOST_BUCKETS:
        message = f"Argument max-buckets must be an integer between 1 and {MOST_BUCKETS}"
        raise AwsError("InvalidArgument", message, 400, ArgumentName="max-buckets", ArgumentValue=most)
    after_name = _name(token) if token is not None else ""
    found = sorted(backends.s3().buckets.values(), key=lambda bucket: bucket.name)
    found = [one for one in found if one.name.startswith(prefix) and region in (None, one.region_name) and one.name > after_name]
    page = found[:most]
    return {
        "Buckets": [
            {
                "Name": bucket.name,
                "CreationDate": bucket.creation_date,
                "BucketRegion": bucket.region_name,
                "BucketArn": bucket.arn,
            }
            for bucket in page
        ],
        "Owner": {"ID": OWNER},
        "ContinuationToken": _token(page[-1].name) if len(found) > most else None,
        "Prefix": asked.get("prefix"),
    }


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        message = "The continuation token provided is incorrect"
        raise AwsError("InvalidArgument", message, 400, ArgumentName="continuation-token") from None


@before("s3", "ListObjectsV2")
def check_token(sandbox: Sandbox, call: Call) -> None:
    token = call.request.args.get("continuation-token")
    if token is None or call.params["Bucket"] not in backends.s3().buckets:
        return
    if token not in backends.s3()._pagination_tokens:
        message = "The continuation token provided is incorrect"
        raise AwsError("InvalidArgument", message, 400, ArgumentName="continuation-token")


@before("s3", "ListObjectVersions")
def check_marker(sandbox: Sandbox, call: Call) -> None:
    marker = call.request.args.get("version-id-marker")
    if marker and not call.request.args.get("key-marker"):
        message = "A version-id marker cannot be specified without a key marker."
        raise AwsError("InvalidArgument", message, 400, ArgumentName="version-id-marker", ArgumentValue=marker)
