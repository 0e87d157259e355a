"""Multipart uploads: which there are, which checksum was agreed on, and which parts make an object."""

from __future__ import annotations

from typing import Any

import xmltodict

from .. import backends
from ..call import Call
from ..clock import now
from ..errors import AwsError
from ..hooks import after, before
from ..sandbox import Sandbox
from .conditions import IF_NONE_MATCH

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
SMALLEST = 5 * 1024 * 1024
MOST = 10000

# When something was last deleted, by bucket and key: an upload that began before and must find nothing has lost.
_deleted: dict[tuple[str, str], Any] = {}
_begun: dict[str, Any] = {}


@before("s3", "CreateMultipartUpload")
def check_algorithm(sandbox: Sandbox, call: Call) -> None:
    asked = call.request.headers.get("x-amz-checksum-algorithm")
    if asked is not None and asked.upper() not in ALGORITHMS:
        message = (
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(ALGORITHMS)}]"
        )
        raise AwsError("InvalidRequest", message, 400)


@after("s3", "CreateMultipartUpload")
def remember(sandbox: Sandbox, call: Call, response: Any) -> None:
    for identifier in backends.s3().buckets[call.params["Bucket"]].multiparts:
        _begun.setdefault(identifier, now())


@after("s3", "DeleteObject")
def remember_deletion(sandbox: Sandbox, call: Call, response: Any) -> None:
    _deleted[call.params["Bucket"], call.params["Key"]] = now()


@before("s3", "UploadPart", "UploadPartCopy", "ListParts", "AbortMultipartUpload", "CompleteMultipartUpload")
def check_upload(sandbox: Sandbox, call: Call) -> None:
    bucket = backends.s3().buckets.get(call.params["Bucket"])
    if bucket is None:
        return
    identifier = call.request.args.get("uploadId", "")
    upload = bucket.multiparts.get(identifier)
    if upload is None or upload.key_name != call.params["Key"]:
        message = (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
            "completed."
        )
        raise AwsError("NoSuchUpload", message, 404, UploadId=identifier)
    if call.operation == "UploadPart":
        _check_part(call, upload)
    elif call.operation == "CompleteMultipartUpload":
        _check_whole(call, upload)


def _check_part(call: Call, upload: Any) -> None:
    number = call.request.args.get("partNumber", "")
    if not number.isdigit() or not 1 <= int(number) <= MOST:
        message = f"Part number must be an integer between 1 and {MOST}, inclusive"
        raise AwsError("InvalidArgument", message, 400, ArgumentName="partNumber", ArgumentValue=number)
    agreed = upload.metadata.get("x-amz-checksum-algorithm")
    headers = call.request.headers
    sent = headers.get("x-amz-sdk-checksum-algorithm") or headers.get("x-amz-trailer", "").removeprefix("x-amz-checksum-")
    sent = sent or next((name for name in ALGORITHMS if f"x-amz-checksum-{name.lower()}" in headers), "")
    if agreed and sent and sent.lower() != agreed.lower():
        message = (
            f"Checksum Type mismatch occurred, expected checksum Type: {agreed.lower()}, actual checksum Type: {sent.lower()}"
        )
        raise AwsError("InvalidRequest", message, 400)


def _check_whole(call: Call, upload: Any) -> None:
    parts = _parts(call.request.get_data())
    if not parts:
        raise AwsError("InvalidRequest", "You must specify at least one part", 400)
    numbers = [number for number, _ in parts]
    if numbers != sorted(set(numbers)):
        message = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise AwsError("InvalidPartOrder", message, 400, UploadId=upload.id)
    for number, tag in parts:
        made = upload.parts.get(number)
        if made is None or made.etag.strip('"') != tag.strip('"'):
            message = (
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
                "specified entity tag may not match the part's entity tag."
            )
            raise AwsError("InvalidPart", message, 400, UploadId=upload.id, PartNumber=number, ETag=tag.strip('"'))
    for number, tag in parts[:-1]:
        size = len(upload.parts[number].value)
        if size < SMALLEST:
            raise AwsError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                400,
                ProposedSize=size,
                MinSizeAllowed=SMALLEST,
                PartNumber=number,
                ETag=tag.strip('"'),
            )
    key = call.params["Bucket"], call.params["Key"]
    if call.request.headers.get(IF_NONE_MATCH) and key in _deleted and _deleted[key] > _begun.get(upload.id, now()):
        message = "The conditional request cannot succeed due to a conflicting operation against this resource."
        raise AwsError("ConditionalRequestConflict", message, 409, Condition=IF_NONE_MATCH, Key=call.params["Key"])


def _parts(body: bytes) -> list[tuple[int, str]]:
    if not body:
        return []
    asked = xmltodict.parse(body, force_list=("Part",)).get("CompleteMultipartUpload") or {}
    return [(int(part["PartNumber"]), part["ETag"]) for part in asked.get("Part", [])]
