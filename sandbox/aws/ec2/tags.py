"""Tags that AWS keeps for itself, and those of launch templates, which moto shows as they were at first."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplate

from ..call import Call
from ..errors import AwsError
from ..hooks import before
from ..sandbox import Sandbox


def _now(template: Any) -> list[dict[str, str]]:
    return template.get_tags()


# moto sets it once, when the template is made.
LaunchTemplate.tags = property(_now, lambda template, tags: None)  # type: ignore[assignment,misc]


@before("ec2", "CreateTags", "DeleteTags")
def check_tags(sandbox: Sandbox, call: Call) -> None:
    keys = [tag.get("Key") or "" for tag in call.params.get("Tags", [])]
    for key in keys:
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
    if len(set(keys)) < len(keys):
        raise AwsError("InvalidParameterValue", "Duplicate tag key specified.")
