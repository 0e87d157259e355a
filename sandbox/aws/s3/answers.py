"""What S3 says in its answers and moto leaves out: the checksum that every object has, how it is encrypted, where it is."""

from __future__ import annotations

import base64
import html
import re
from typing import Any

from .. import backends
from ..call import Call
from ..hooks import after
from ..sandbox import Sandbox
from .checksums import ALGORITHMS

DEFAULT = "CRC64NVME"  # what S3 computes where the client gave nothing
WHOLE = "FULL_OBJECT"
WRITES = ("PutObject", "CopyObject", "CompleteMultipartUpload")


@after("s3", *WRITES, "GetObject", "HeadObject", "CreateMultipartUpload", "UploadPart")
def say_encryption(sandbox: Sandbox, call: Call, response: Any) -> None:
    """Every object is, since 2023."""
    response.headers.setdefault("x-amz-server-side-encryption", "AES256")


@after("s3", *WRITES)
def give_checksum(sandbox: Sandbox, call: Call, response: Any) -> None:
    """Every object has one, since the end of 2024."""
    key = backends.s3().get_object(call.params["Bucket"], call.params["Key"])
    if not key.checksum_algorithm:
        digest = ALGORITHMS[f"x-amz-checksum-{DEFAULT.lower()}"](key.value)
        key.checksum_algorithm, key.checksum_value, key.checksum_type = DEFAULT, base64.b64encode(digest).decode(), WHOLE
    kind = getattr(key, "checksum_type", None) or WHOLE
    if call.operation == "PutObject":
        response.headers.setdefault(f"x-amz-checksum-{key.checksum_algorithm.lower()}", key.checksum_value)
        response.headers.setdefault("x-amz-checksum-type", kind)
        return
    text = response.get_data(as_text=True)
    if "<Checksum" not in text:
        value = f"<Checksum{key.checksum_algorithm}>{key.checksum_value}</Checksum{key.checksum_algorithm}>"
        text = re.sub(r"(</ETag>)", rf"\1{value}", text, count=1)
    if "<ChecksumType>" not in text:
        text = re.sub(r"(</ETag>)", rf"\1<ChecksumType>{kind}</ChecksumType>", text, count=1)
    response.set_data(text)


@after("s3", "GetObject", "HeadObject")
def say_checksum_type(sandbox: Sandbox, call: Call, response: Any) -> None:
    if any(name in response.headers for name in ALGORITHMS if name.startswith("x-amz-")):
        response.headers.setdefault("x-amz-checksum-type", WHOLE)


@after("s3", "ListObjectsV2", "ListObjects")
def list_checksum_types(sandbox: Sandbox, call: Call, response: Any) -> None:
    text = re.sub(r"(</ChecksumAlgorithm>)", rf"\1<ChecksumType>{WHOLE}</ChecksumType>", response.get_data(as_text=True))
    response.set_data(text)


@after("s3", "ListObjectVersions")
def list_checksums(sandbox: Sandbox, call: Call, response: Any) -> None:
    def add(version: re.Match[str]) -> str:
        key, identifier = (re.search(rf"<{name}>(.*?)</{name}>", version[1], re.S) for name in ("Key", "VersionId"))
        assert key and identifier, "moto lists both"
        found = backends.s3().get_object(call.params["Bucket"], html.unescape(key[1]), version_id=identifier[1])
        algorithm = getattr(found, "checksum_algorithm", None) or DEFAULT
        told = f"<ChecksumAlgorithm>{algorithm}</ChecksumAlgorithm><ChecksumType>{WHOLE}</ChecksumType>"
        return f"<Version>{version[1]}{told}</Version>"

    response.set_data(re.sub(r"<Version>(.*?)</Version>", add, response.get_data(as_text=True), flags=re.S))


@after("s3", "ListMultipartUploads")
def list_markers(sandbox: Sandbox, call: Call, response: Any) -> None:
    """They are there when there is nothing more to list, too."""
    text = response.get_data(as_text=True)
    for name in ("NextKeyMarker", "NextUploadIdMarker"):
        if f"<{name}" not in text:
            text = text.replace("</ListMultipartUploadsResult>", f"<{name}></{name}></ListMultipartUploadsResult>")
    response.set_data(text)
