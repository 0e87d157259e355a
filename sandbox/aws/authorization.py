"""What may a principal do? What the policies of the user or role say; resources are looked at for S3, elsewhere the
action alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import backends, policy
from .call import Call, Principal
from .errors import AwsError

# Where the action is called otherwise than the operation.
S3_ACTIONS = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}
ALWAYS = {"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"}


def authorize(call: Call) -> None:
    who = call.principal
    if who is None or call.action in ALWAYS:
        return
    documents = policies_of(who)
    request = _s3_request(call) if call.service == "s3" else policy.Request(call.action)
    if not policy.allows(documents, request):
        raise denied(call, request.action)
    if call.operation in ("PutObject", "DeleteObject") and "If-Match" in call.request.headers:
        # S3 guide, "conditional requests": who compares with what is there must be allowed to read it.
        reading = replace(request, action="s3:GetObject")
        if not policy.allows(documents, reading):
            raise denied(call, reading.action)
    if call.service == "s3" and request.action == "s3:GetObject":
        _hide_what_is_missing(call, documents)


def denied(call: Call, action: str, resource: str | None = None) -> AwsError:
    who = call.principal.arn if call.principal else "anonymous"
    if call.service == "eks":
        resource = f"arn:aws:eks:{call.region}:{call.account}:{_path_in_eks(call)}"
    on = f" on resource: {resource}" if resource else ""
    message = (
        f"User: {who} is not authorized to perform: {action}{on} because no identity-based policy allows the {action} action"
    )
    if call.service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    code = {"s3": "AccessDenied", "ec2": "UnauthorizedOperation"}.get(call.service)
    return AwsError(code or ("AccessDeniedException" if call.is_json else "AccessDenied"), message, 403)


def _path_in_eks(call: Call) -> str:
    cluster = call.params.get("clusterName") or call.params.get("name") or "*"
    for kind in ("nodegroup", "addon"):
        if name := call.params.get(f"{kind}Name"):
            return f"{kind}/{cluster}/{name}"
    return f"cluster/{cluster}"


def policies_of(who: Principal) -> list[Any]:
    """The documents of everything attached to the user or role; empty if it is gone."""
    with backends.LOCK:
        iam = backends.iam()
        if who.user is not None:
            user = iam.users.get(who.user)
            groups = [group for group in iam.groups.values() if user in group.users]
            owners = [user, *groups] if user else []
        else:
            owners = [role for role in iam.get_roles() if role.name == who.role]
        return [document for owner in owners for document in _documents(owner)]


def _documents(owner: Any) -> list[Any]:
    attached = [
        next(version.document for version in managed.versions if version.is_default)
        for managed in owner.managed_policies.values()
    ]
    return attached + list(owner.policies.values())


def _s3_request(call: Call) -> policy.Request:
    bucket, key = call.params.get("Bucket"), call.params.get("Key")
    action = "s3:" + S3_ACTIONS.get(call.operation, call.operation)
    resource = "*" if bucket is None else f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    context = {"s3:prefix": call.request.args.get("prefix", ""), "aws:SecureTransport": "false"}
    return policy.Request(action, resource, context=context)


def _hide_what_is_missing(call: Call, documents: list[Any]) -> None:
    """Who may not list a bucket is not told which keys it lacks: 403 instead of 404."""
    bucket, key = call.params["Bucket"], call.params["Key"]
    with backends.LOCK:
        found = backends.s3().buckets.get(bucket)
        missing = found is not None and found.keys.get(key) is None
    listing = policy.Request("s3:ListBucket", f"arn:aws:s3:::{bucket}", context={"s3:prefix": key})
    if missing and not policy.allows(documents, listing):
        raise AwsError("AccessDenied", "Access Denied", 403)
