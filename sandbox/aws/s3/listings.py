"""Keys in listings, where XML cannot write them: S3 writes them as URLs do for whoever asks with encoding-type=url."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import quote_plus

from ..call import Call
from ..hooks import after
from ..sandbox import Sandbox

KEYS = re.compile(r"<(Key|Prefix|KeyMarker|NextKeyMarker)>(.*?)</\1>", re.S)


@after("s3", "ListObjectVersions", "ListMultipartUploads")
def encode_keys(sandbox: Sandbox, call: Call, response: Any) -> None:
    """moto does it for ListObjects and ListObjectsV2 only."""
    if call.request.args.get("encoding-type") != "url":
        return
    encoded = KEYS.sub(lambda key: f"<{key[1]}>{quote_plus(html.unescape(key[2]), safe='/')}</{key[1]}>", response.get_data(as_text=True))
    closing = re.compile(r"</(ListVersionsResult|ListMultipartUploadsResult)>")
    response.set_data(closing.sub(r"<EncodingType>url</EncodingType></\1>", encoded))
