"""Signature Version 4, in a header or in the URL (presigned), checked as AWS does.

Source: "Signature Version 4 signing process", IAM User Guide. What the SDK signed is rebuilt from what arrived.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from moto.core.request import Request

from . import backends

SKEW = datetime.timedelta(minutes=15)


class BadSignature(Exception):
    """`reason` is one of incomplete, region, mismatch, skewed, expired, body."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Signed:
    """What a request says about its signature; nothing here is checked yet."""

    access_key: str
    date: str  # YYYYMMDDTHHMMSSZ
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    token: str | None
    presigned: bool
    expires: int = 0


def read(request: Request) -> Signed | None:
    """None: the request is anonymous."""
    header = request.headers.get("Authorization", "")
    if header.startswith("AWS4-HMAC-SHA256"):
        fields = dict(re.findall(r"(\w+)=([^,\s]+)", header))
        date = request.headers.get("X-Amz-Date", "")
        token = request.headers.get("X-Amz-Security-Token")
        presigned, expires = False, 0
    elif request.args.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256":
        args = request.args
        fields = {name: args.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
        date = args.get("X-Amz-Date", "")
        token = args.get("X-Amz-Security-Token")
        presigned, expires = True, int(args.get("X-Amz-Expires", "0") or 0)
    else:
        return None
    scope = fields.get("Credential", "").split("/")
    if len(scope) != 5 or not fields.get("SignedHeaders") or not fields.get("Signature") or not date:
        raise BadSignature("incomplete", "The signature lacks Credential, SignedHeaders, Signature or X-Amz-Date.")
    headers = tuple(fields["SignedHeaders"].split(";"))
    return Signed(scope[0], date, scope[1], scope[2], scope[3], headers, fields["Signature"], token, presigned, expires)


def check(request: Request, signed: Signed, secret: str, body: bytes, now: datetime.datetime) -> None:
    _check_date(signed, now)
    if signed.region not in backends.REGIONS:
        # To be seen behind an endpoint that has no region in its name; AWS's own have one, and are not found then.
        raise BadSignature("region", f"Credential should be scoped to a valid region, not '{signed.region}'. ")
    if "host" not in signed.headers:
        raise BadSignature("mismatch", "'Host' must be a SignedHeader.")
    canonical = "\n".join(
        [
            request.method,
            _path(request, signed),
            _query(request),
            *(f"{name}:{_header(request, name)}" for name in signed.headers),
            "",
            ";".join(signed.headers),
            _payload_hash(request, signed, body),
        ]
    )
    scope = f"{signed.day}/{signed.region}/{signed.service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{signed.date}\n{scope}\n{hashed}"
    key = f"AWS4{secret}".encode()
    for part in (signed.day, signed.region, signed.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), signed.signature):
        raise BadSignature(
            "mismatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )


def _check_date(signed: Signed, now: datetime.datetime) -> None:
    try:
        date = datetime.datetime.strptime(signed.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        raise BadSignature("incomplete", f"Date {signed.date} is not in ISO-8601 basic format.") from None
    if not signed.date.startswith(signed.day):
        raise BadSignature("mismatch", "Date in Credential scope does not match YYYYMMDD from X-Amz-Date.")
    if signed.presigned:
        if not 0 < signed.expires <= 604800:
            raise BadSignature("incomplete", "X-Amz-Expires must be between 1 and 604800 seconds.")
        if now > date + datetime.timedelta(seconds=signed.expires):
            raise BadSignature("expired", "Request has expired")
        if date > now + SKEW:
            raise BadSignature("skewed", "Request is not yet valid")
    elif date < now - SKEW:  # as aws/aws-cli#6676 shows it
        message = f"Signature expired: {signed.date} is now earlier than {_basic(now - SKEW)} ({_basic(now)} - 15 min.)"
        raise BadSignature("skewed", message)
    elif date > now + SKEW:
        message = f"Signature not yet current: {signed.date} is still later than {_basic(now + SKEW)} ({_basic(now)} + 15 min.)"
        raise BadSignature("skewed", message)


def _basic(moment: datetime.datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def _path(request: Request, signed: Signed) -> str:
    raw = request.raw_path
    if signed.service == "s3":
        # S3 encodes once: what came over the wire, in its canonical spelling.
        return quote(unquote(raw), safe="/-_.~")
    return quote(raw, safe="/-_.~")


def _query(request: Request) -> str:
    pairs = []
    for pair in request.query_string.decode().split("&"):
        if pair and not pair.startswith("X-Amz-Signature="):
            name, _, value = pair.partition("=")
            pairs.append((quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _header(request: Request, name: str) -> str:
    return re.sub(r" +", " ", request.headers.get(name, "").strip())


def _payload_hash(request: Request, signed: Signed, body: bytes) -> str:
    declared = request.headers.get("X-Amz-Content-Sha256") or request.args.get("X-Amz-Content-Sha256")
    actual = hashlib.sha256(body).hexdigest()
    if declared is None:
        return "UNSIGNED-PAYLOAD" if signed.presigned and signed.service == "s3" else actual
    if re.fullmatch("[0-9a-f]{64}", declared) and declared != actual:
        raise BadSignature("body", "The provided 'x-amz-content-sha256' header does not match what was computed.")
    return declared
