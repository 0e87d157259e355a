"""An EKS bearer token is a presigned GetCallerIdentity: who signed it, and who is that in the cluster?"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from moto.core.request import Request
from werkzeug.test import EnvironBuilder

from .. import backends, principals, signature
from ..clock import now
from ..eks import state
from ..eks.state import AccessEntry, Cluster
from ..signature import BadSignature

PREFIX = "k8s-aws-v1."
LONGEST = 4096
LIFETIME = 15 * 60  # whatever X-Amz-Expires says, the authenticator takes a token for that long


@dataclass(frozen=True)
class Identity:
    """Groups are the entry's own, and one for each access policy: system:masters for AmazonEKSClusterAdminPolicy over the
    cluster, else eks-access-policy:NAME, or eks-access-policy:NAME:NAMESPACE for one over a namespace.
    """

    arn: str
    user_id: str
    account: str
    username: str
    groups: list[str]


def identify(token: str, cluster_name: str) -> Identity | None:
    """None: the token proves nobody whom the cluster admits."""
    signed_by = _signer(token, cluster_name)
    if signed_by is None:
        return None
    with backends.LOCK:
        cluster = next((found for (_, name), found in state.clusters.items() if name == cluster_name), None)
        if cluster is None:
            return None
        entry = _entry(cluster, signed_by)
        if entry is None:
            return None
        session = signed_by.arn.rsplit("/", 1)[-1] if signed_by.role else ""
        return Identity(
            arn=signed_by.arn,
            user_id=signed_by.user_id,
            account=signed_by.account,
            username=entry.username.replace("{{SessionName}}", session.replace("@", "-")),
            groups=[*entry.groups, *_policy_groups(entry)],
        )


def _signer(token: str, cluster: str) -> principals.Principal | None:
    if not token.startswith(PREFIX) or len(token) > LONGEST:
        return None
    text = token.removeprefix(PREFIX)
    try:
        url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    parts = urlsplit(url)
    if parse_qs(parts.query).get("Action") != ["GetCallerIdentity"]:
        return None
    builder = EnvironBuilder(
        path=parts.path or "/",
        query_string=parts.query,
        base_url=f"{parts.scheme}://{parts.netloc}",
        headers={"x-k8s-aws-id": cluster},
    )
    request = Request(builder.get_environ())
    try:
        signed = signature.read(request)
        if signed is None or not signed.presigned or "x-k8s-aws-id" not in signed.headers or signed.service != "sts":
            return None
        credentials = principals.find(signed.access_key)
        if credentials is None or (credentials.session_token or None) != (signed.token or None):
            return None
        signature.check(request, dataclasses.replace(signed, expires=LIFETIME), credentials.secret, b"", now())
    except BadSignature:
        return None
    return credentials.principal


def _entry(cluster: Cluster, who: principals.Principal) -> AccessEntry | None:
    """Entries are bound to IAM's id: a role made anew under the same name is somebody else."""
    identifier = who.user_id.split(":")[0]
    entries = cluster.entries.values()
    return next((entry for entry in entries if entry.principal_id == identifier and entry.admits()), None)


def _policy_groups(entry: AccessEntry) -> list[str]:
    groups = []
    for arn, association in entry.policies.items():
        name, scope = arn.rsplit("/", 1)[-1], association["accessScope"]
        if scope["type"] == "namespace":
            groups += [f"eks-access-policy:{name}:{namespace}" for namespace in scope["namespaces"]]
        elif name == "AmazonEKSClusterAdminPolicy":
            groups.append("system:masters")
        else:
            groups.append(f"eks-access-policy:{name}")
    return groups
