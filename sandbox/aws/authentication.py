"""Who sent this? Every call is signed by a key that the sandbox gave out; the errors are each service's own."""

from __future__ import annotations

import datetime

from . import principals, signature
from .call import Call
from .errors import AwsError
from .signature import BadSignature, Signed

# These carry their proof in themselves.
UNSIGNED = {("sts", "AssumeRoleWithWebIdentity"), ("sts", "AssumeRoleWithSAML")}


def authenticate(call: Call, signed: Signed | None, body: bytes, now: datetime.datetime) -> None:
    """Sets the call's principal, or raises the error that AWS would answer at this time."""
    if (call.service, call.operation) in UNSIGNED:
        return
    if signed is None:
        raise _missing(call)
    credentials = principals.find(signed.access_key)
    if credentials is None or (credentials.session_token or None) != (signed.token or None):
        raise _unknown_key(call)
    try:
        signature.check(call.request, signed, credentials.secret, body, now)
    except BadSignature as bad:
        raise refusal(call, bad) from None
    if credentials.expires and credentials.expires < datetime.datetime.now(datetime.UTC):
        raise _expired(call)
    call.principal = credentials.principal


def refusal(call: Call, bad: BadSignature) -> AwsError:
    message = str(bad)
    if call.service == "s3":
        if bad.reason == "skewed":
            message = "The difference between the request time and the current time is too large."
        code = {
            "skewed": "RequestTimeTooSkewed",
            "expired": "AccessDenied",
            "body": "XAmzContentSHA256Mismatch",
            "incomplete": "AuthorizationHeaderMalformed",
            "region": "AuthorizationHeaderMalformed",
        }.get(bad.reason, "SignatureDoesNotMatch")
        return AwsError(code, message, 400 if bad.reason in ("body", "incomplete", "region") else 403)
    if call.service == "ec2":
        if bad.reason in ("skewed", "expired"):
            return AwsError("RequestExpired", "Request has expired.", 400)
        if bad.reason == "region":
            return AwsError("AuthFailure", message, 401)
        return AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if call.is_json:
        return AwsError("InvalidSignatureException", message, 403 if call.service == "eks" else 400)
    return AwsError("IncompleteSignature" if bad.reason == "incomplete" else "SignatureDoesNotMatch", message, 403)


def _missing(call: Call) -> AwsError:
    if call.service == "s3":
        return AwsError("AccessDenied", "Access Denied", 403)
    code = "MissingAuthenticationTokenException" if call.is_json else "MissingAuthenticationToken"
    return AwsError(code, "Request is missing Authentication Token", 403)


def _unknown_key(call: Call) -> AwsError:
    if call.service == "s3":
        return AwsError(
            "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403
        )
    if call.service == "ec2":
        return AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if call.is_json:
        message = "The security token included in the request is invalid."
        return AwsError("UnrecognizedClientException", message, 403 if call.service == "eks" else 400)
    return AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


def _expired(call: Call) -> AwsError:
    if call.service == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.", 400)
    if call.service == "ec2":
        return AwsError("RequestExpired", "Request has expired.", 400)
    message = "The security token included in the request is expired"
    if call.is_json:
        return AwsError("ExpiredTokenException", message, 403 if call.service == "eks" else 400)
    return AwsError("ExpiredToken", message, 403)
