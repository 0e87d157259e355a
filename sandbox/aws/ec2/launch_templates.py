"""Launch templates: moto puts the template's own tags among those for instances."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..hooks import after
from ..sandbox import Sandbox


@after("ec2", "CreateLaunchTemplate", "CreateLaunchTemplateVersion")
def leave_own_tags_out(sandbox: Sandbox, call: Call, response: Any) -> None:
    for template in backends.ec2(call.region).launch_templates.values():
        for version in template.versions:
            specifications = version.data.get("TagSpecifications")
            if not specifications:
                continue
            for_others = [found for found in specifications if found["ResourceType"] != "launch-template"]
            if for_others:
                version.data["TagSpecifications"] = for_others
            else:
                del version.data["TagSpecifications"]
