"""What an object may be called, and when it was written, by S3's own clock, which a test may set apart from this machine's."""

from __future__ import annotations

import re
from typing import Any

from moto.core.utils import get_service_model

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import after, before
from ..sandbox import Sandbox


LONGEST = 1024
VERSION = re.compile(r"[A-Za-z0-9._-]{32,}")
STORAGE_CLASSES = frozenset(get_service_model("s3").shape_for("StorageClass").enum)


@before("s3", "PutObject", "CopyObject", "CreateMultipartUpload")
def check(sandbox: Sandbox, call: Call) -> None:
    size = len(call.params["Key"].encode())
    if size > LONGEST:
        raise AwsError("KeyTooLongError", "Your key is too long", 400, Size=size, MaxSizeAllowed=LONGEST)
    asked = call.request.headers.get("x-amz-storage-class")
    if asked is not None and asked not in STORAGE_CLASSES:
        message = "The storage class you specified is not valid"
        raise AwsError("InvalidStorageClass", message, 400, StorageClassRequested=asked)


@after("s3", "PutObject")
def date(sandbox: Sandbox, call: Call, response: Any) -> None:
    key = backends.s3().get_object(call.params["Bucket"], call.params["Key"])
    key.last_modified = sandbox.clock.date().replace(tzinfo=key.last_modified.tzinfo)


@before("s3", "GetObject", "HeadObject", "DeleteObject")
def check_version(sandbox: Sandbox, call: Call) -> None:
    asked = call.request.args.get("versionId")
    if asked is not None and asked != "null" and not VERSION.fullmatch(asked):
        message = "Invalid version id specified"
        raise AwsError("InvalidArgument", message, 400, ArgumentName="versionId", ArgumentValue=asked)
