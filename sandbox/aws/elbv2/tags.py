"""Tags of balancers and target groups: 50 each, as everywhere in AWS; moto refuses the eleventh."""

from __future__ import annotations

from typing import Any

from .. import backends
from ..call import Call
from ..errors import AwsError
from ..hooks import before, handles
from ..sandbox import Sandbox

MOST = 50


@handles("elbv2", "AddTags")
def add_tags(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    elbv2, tags = backends.elbv2(call.region), call.params["Tags"]
    keys = [tag["Key"] for tag in tags]
    _check_keys(keys)
    if len(set(keys)) < len(keys):
        raise AwsError("DuplicateTagKeys", "Tag keys must be unique")
    for arn in call.params["ResourceArns"]:
        elbv2._get_resource_by_arn(arn)
        if len({*elbv2.tagging_service.get_tag_dict_for_resource(arn), *keys}) > MOST:
            raise AwsError("TooManyTags", f"The maximum number of tags of a resource is {MOST}")
        elbv2.tagging_service.tag_resource(arn, [{"Key": tag["Key"], "Value": tag.get("Value") or ""} for tag in tags])
    return {}


@before("elbv2", "RemoveTags")
def check_keys(sandbox: Sandbox, call: Call) -> None:
    _check_keys(call.params["TagKeys"])


def _check_keys(keys: list[str]) -> None:
    if any(key.lower().startswith("aws:") for key in keys):
        raise AwsError("ValidationError", "aws: prefixed tag key names are not allowed for external use.")
