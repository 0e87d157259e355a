"""GetResources. It knows of other services' resources by what they tell it, and so lags behind them: a test may stop it
from noticing anything more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import backends
from ..call import Call
from ..eks import state
from ..errors import AwsError
from ..hooks import handles
from ..sandbox import Sandbox

Tagged = tuple[str, dict[str, str]]  # ARN and tags


@handles("resourcegroupstaggingapi", "GetResources")
def get_resources(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    params = call.params
    if "ResourceARNList" in params or "ResourceTypeFilters" in params:
        raise AwsError("InvalidParameterException", "The sandbox finds resources by TagFilters alone")
    size = int(params.get("ResourcesPerPage") or 50)
    if not 1 <= size <= 100:
        raise AwsError("InvalidParameterException", "ResourcesPerPage must be between 1 and 100")
    known = sandbox.tagged if sandbox.tagged is not None else tagged()
    wanted = [found for found in known.get(call.region, []) if _matches(found[1], params.get("TagFilters", []))]
    token = params.get("PaginationToken") or ""
    rest = [found for found in wanted if found[0] > token]
    page = rest[:size]
    return {
        "ResourceTagMappingList": [
            {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            for arn, tags in page
        ],
        "PaginationToken": page[-1][0] if len(rest) > size else "",
    }


def tagged() -> dict[str, list[Tagged]]:
    """Everything that has tags, by region, in order of ARNs."""
    found = {region: sorted((arn, dict(tags)) for arn, tags in _of(region) if tags) for region in _used()}
    return {region: resources for region, resources in found.items() if resources}


def _used() -> set[str]:
    regions = {ec2.region_name for ec2 in backends.all_ec2()} | {ecr.region_name for ecr in backends.all_ecr()}
    regions |= {elb.region_name for elb in backends.all_elbv2()}
    return regions | {bucket.region_name for bucket in backends.s3().buckets.values()}


def _of(region: str) -> Iterator[Tagged]:
    for bucket in backends.s3().buckets.values():
        if bucket.region_name == region:
            yield bucket.arn, backends.s3().tagger.get_tag_dict_for_resource(bucket.arn)
    for ecr in backends.all_ecr():
        if ecr.region_name == region:
            for repository in ecr.repositories.values():
                yield repository.arn, ecr.tagger.get_tag_dict_for_resource(repository.arn)
    for elb in backends.all_elbv2():
        if elb.region_name == region:
            yield from ((found.arn, found.tags) for found in elb.iter_tagged_resources())
    for ec2 in backends.all_ec2():
        if ec2.region_name == region:
            yield from _of_ec2(ec2, region)
    for (at, _), cluster in state.clusters.items():
        if at == region:
            yield cluster.arn, cluster.tags
            for parts in (cluster.nodegroups, cluster.addons, cluster.entries):
                yield from ((part.arn, part.tags) for part in parts.values())


def _of_ec2(ec2: Any, region: str) -> Iterator[Tagged]:
    yield from ((found.arn, found.tags) for found in ec2.iter_tagged_resources())
    # moto leaves these out.
    others = {
        "elastic-ip": [address.allocation_id for address in ec2.addresses],
        "launch-template": list(ec2.launch_templates),
        "vpc-endpoint": list(ec2.vpc_end_points),
    }
    for kind, ids in others.items():
        for found in ids:
            yield f"arn:aws:ec2:{region}:{backends.ACCOUNT}:{kind}/{found}", ec2.tags.get(found, {})


def _matches(tags: dict[str, str], filters: list[dict[str, Any]]) -> bool:
    """Every filter: the key, with one of the values where there are any."""
    return all(
        wanted["Key"] in tags and (not wanted.get("Values") or tags[wanted["Key"]] in wanted["Values"])
        for wanted in filters
    )
