"""An upload whose checksum does not fit its bytes is refused; moto stores it."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator

from awscrt import checksums

from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox

MD5 = "content-md5"
ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "x-amz-checksum-crc32c": lambda data: checksums.crc32c(data).to_bytes(4, "big"),
    "x-amz-checksum-crc64nvme": lambda data: checksums.crc64nvme(data).to_bytes(8, "big"),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data).digest(),
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    MD5: lambda data: hashlib.md5(data).digest(),
}


@before("s3", "PutObject", "UploadPart")
def check(sandbox: Sandbox, call: Call) -> None:
    body, trailers = call.request.get_data(), {}
    if "aws-chunked" in call.request.headers.get("Content-Encoding", ""):
        body, trailers = _unchunk(body)
    headers = {name: call.request.headers.get(name) or trailers.get(name) for name in ALGORITHMS}
    declared = {name: value for name, value in headers.items() if value is not None}
    if len(declared.keys() - {MD5}) > 1:
        message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise AwsError("InvalidRequest", message, 400)
    for name, value in declared.items():
        computed = ALGORITHMS[name](body)
        if not _is_digest(value, len(computed)):
            if name == MD5:
                raise AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.", 400, **{"Content-MD5": value})
            raise AwsError("InvalidRequest", f"Value for {name} header is invalid.", 400)
        if value == base64.b64encode(computed).decode():
            continue
        if name == MD5:
            message = "The Content-MD5 you specified did not match what we received."
            expected, calculated = base64.b64decode(value).hex(), base64.b64encode(computed).decode()
            raise AwsError("BadDigest", message, 400, ExpectedDigest=expected, CalculatedDigest=calculated)
        words = f"The {name.rsplit('-', 1)[-1].upper()} you specified did not match the calculated checksum."
        raise AwsError("BadDigest", words, 400)


def _is_digest(value: str, size: int) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == size
    except ValueError:
        return False


def _unchunk(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The bytes and trailing headers of aws-chunked ("SIZE[;chunk-signature=...]", CRLF, bytes, CRLF, ...)."""
    data, at = bytearray(), 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        at = end + 2
        if size == 0:
            return bytes(data), dict(_headers(body[at:]))
        data += body[at : at + size]
        at += size + 2


def _headers(text: bytes) -> Iterator[tuple[str, str]]:
    for line in text.decode().splitlines():
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()
