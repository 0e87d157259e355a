"""AssumeRoleWithWebIdentity: a Kubernetes service account's token for a session of a role.

Everything that AWS checks: the issuer is a provider of the account, the audience is the provider's, the signature is by
a key that the issuer publishes, the token is of now, and the role's trust policy names provider and subject.
"""

from __future__ import annotations

import datetime
import json
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from .. import backends, policy
from ..call import Call
from ..clock import now
from ..eks import roles, state
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox


@handles("sts", "AssumeRoleWithWebIdentity", locked=False)
def assume_role_with_web_identity(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    token = call.params["WebIdentityToken"]
    claimed = _claims(token)
    issuer = str(claimed.get("iss", ""))
    provider = _provider(issuer)
    # The issuer is asked off the lock: it is a cluster, and clusters ask us who their callers are.
    claims = _verified(token, _keys(issuer))
    audience = _audience(claims, provider.client_id_list)
    expires = datetime.datetime.fromtimestamp(float(claims.get("exp", 0)), datetime.UTC)
    if expires <= now():
        message = f"Token expired: current date/time {now():%s} must be before the expiration date/time {expires:%s}"
        raise AwsError("ExpiredTokenException", message, 400)
    subject = str(claims["sub"])
    arn = call.params["RoleArn"]
    with backends.LOCK:
        role = roles.find(arn)
        host = issuer.removeprefix("https://")
        request = policy.Request(
            "sts:AssumeRoleWithWebIdentity",
            principals=(("Federated", provider.arn),),
            context={f"{host}:sub": subject, f"{host}:aud": audience},
        )
        if role is None or not policy.allows([role.assume_role_policy_document], request):
            raise AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        session = backends.sts().assume_role(
            region_name=call.region,
            role_session_name=call.params["RoleSessionName"],
            role_arn=arn,
            policy=call.params.get("Policy", ""),
            duration=int(call.params.get("DurationSeconds", 3600)),
            external_id="",
        )
        return {
            "Credentials": {
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "SessionToken": session.session_token,
                "Expiration": session.expiration,
            },
            "SubjectFromWebIdentityToken": subject,
            "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
            "Provider": provider.arn,
            "Audience": audience,
        }


def _claims(token: str) -> dict[str, Any]:
    """What the token says of itself, unverified."""
    try:
        return dict(json.loads(jws.extract_compact(token.encode()).payload))
    except (JoseError, ValueError) as error:
        message = f"The ID Token provided is not a valid JWT. ({error})"
        raise AwsError("InvalidIdentityToken", message, 400) from None


def _provider(issuer: str) -> Any:
    with backends.LOCK:
        for provider in backends.iam().open_id_providers.values():
            if issuer == f"https://{provider.url}":
                return provider
    message = f"No OpenIDConnect provider found in your account for {issuer}"
    raise AwsError("InvalidIdentityToken", message, 400)


def _keys(issuer: str) -> KeySet:
    with backends.LOCK:
        handles_of_issuer = [cluster.handle for cluster in state.clusters.values() if cluster.issuer == issuer]
    message = (
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
        "documentation for requirements"
    )
    if not handles_of_issuer or handles_of_issuer[0] is None:
        raise AwsError("InvalidIdentityToken", message, 400)
    try:
        return KeySet.import_key_set(handles_of_issuer[0].jwks())  # type: ignore[arg-type]
    except Exception as error:
        raise AwsError("IDPCommunicationError", f"{message} ({error})", 400) from None


def _verified(token: str, keys: KeySet) -> dict[str, Any]:
    try:
        return jwt.decode(token, keys, algorithms=["RS256", "ES256"]).claims
    except (JoseError, ValueError):
        raise AwsError("InvalidIdentityToken", "Provided Token is not signed by the identity provider", 400) from None


def _audience(claims: dict[str, Any], allowed: list[str]) -> str:
    audiences = claims.get("aud", [])
    for audience in [audiences] if isinstance(audiences, str) else audiences:
        if audience in allowed:
            return str(audience)
    raise AwsError("InvalidIdentityToken", "Incorrect token audience", 400)
