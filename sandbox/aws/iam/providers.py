"""OIDC providers: AWS fills in the thumbprint that nobody gives any more."""

from __future__ import annotations

import hashlib
from typing import Any

from .. import backends
from ..call import Call
from ..hooks import after
from ..sandbox import Sandbox


@after("iam", "CreateOpenIDConnectProvider")
def fill_in_thumbprint(sandbox: Sandbox, call: Call, response: Any) -> None:
    for provider in backends.iam().open_id_providers.values():
        if not provider.thumbprint_list:
            provider.thumbprint_list = [hashlib.sha1(provider.url.encode()).hexdigest()]
