"""Tags of everything in EKS, by ARN."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox
from . import state


@handles("eks", "ListTagsForResource")
def list_tags_for_resource(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    return {"tags": dict(_tags(call))}


@handles("eks", "TagResource")
def tag_resource(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    tags, new = _tags(call), call.params["tags"]
    if any(key.lower().startswith("aws:") for key in new):
        raise AwsError("BadRequestException", "Tag keys starting with aws: are reserved for system use")
    if len(tags | new) > 50:
        raise AwsError("BadRequestException", "A resource has at most 50 tags")
    tags.update(new)
    return {}


@handles("eks", "UntagResource")
def untag_resource(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    tags = _tags(call)
    for key in call.params["tagKeys"]:
        tags.pop(key, None)
    return {}


def _tags(call: Call) -> dict[str, str]:
    arn = call.params["resourceArn"]
    for (region, _), cluster in state.clusters.items():
        if region != call.region:
            continue
        everything = [cluster, *cluster.nodegroups.values(), *cluster.addons.values(), *cluster.entries.values()]
        for thing in everything:
            if thing.arn == arn:
                return thing.tags
    raise AwsError("NotFoundException", f"No resource found for ARN: {arn}")
