"""When an object was written, by S3's own clock, which a test may set apart from this machine's."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..hooks import after
from ..sandbox import Sandbox


@after("s3", "PutObject")
def date(sandbox: Sandbox, call: Call, response: Any) -> None:
    key = backends.s3().get_object(call.params["Bucket"], call.params["Key"])
    key.last_modified = sandbox.clock.date().replace(tzinfo=key.last_modified.tzinfo)
