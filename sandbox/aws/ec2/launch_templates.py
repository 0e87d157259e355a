"""Launch templates: moto puts the template's own tags among those for instances, and says little of one that went."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..hooks import after, before
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


@before("ec2", "DeleteLaunchTemplate")
def remember(sandbox: Sandbox, call: Call) -> None:
    ec2 = backends.ec2(call.region)
    identifier = call.params.get("LaunchTemplateId") or ec2.launch_template_name_to_ids.get(call.params.get("LaunchTemplateName"))
    call.notes["template"] = ec2.launch_templates.get(identifier)


@after("ec2", "DeleteLaunchTemplate")
def tell(sandbox: Sandbox, call: Call, response: Any) -> None:
    template: Any = call.notes["template"]
    told = {"createTime": f"{template.create_time:%Y-%m-%dT%H:%M:%SZ}", "createdBy": call.principal.arn if call.principal else ""}
    told["latestVersionNumber"] = template.latest_version_number
    text, ending = response.get_data(as_text=True), "</launchTemplate>"
    added = "".join(f"<{name}>{value}</{name}>" for name, value in told.items() if f"<{name}>" not in text)
    response.set_data(text.replace(ending, added + ending))
