"""Throttling by token buckets, one for each API of an account and a region.

They are refilled in real time, however fast the sandbox is: the rates are meant for the client's pace, which is real.
"""

from __future__ import annotations

import threading
import time

from ..call import Call
from ..faults import throttled
from ..sandbox import Sandbox
from .kinds import Throttling

Rate = tuple[float, float]  # the bucket's size, and tokens a second

# "Request throttling for the Amazon EC2 API", Amazon EC2 Developer Guide, its two tables of request tokens.
EC2_READS, EC2_UNFILTERED, EC2_WRITES = (100, 20), (50, 10), (50, 5)
UNFILTERED = {
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSpotInstanceRequests",
    "DescribeVolumes",
}
NARROWS = ("Filters", "MaxResults", "NextToken", "InstanceIds", "NetworkInterfaceIds", "GroupIds", "SnapshotIds", "VolumeIds")
EC2: dict[str, Rate] = {
    "AssociateNatGatewayAddress": (10, 1),
    "CreateLaunchTemplateVersion": (100, 5),
    "CreateNatGateway": (10, 1),
    "CreateNetworkInterface": (100, 5),
    "CreateTags": (100, 10),
    "CreateVolume": (100, 5),
    "CreateVpcEndpoint": (4, 0.3),
    "DeleteNatGateway": (10, 1),
    "DeleteNetworkInterface": (100, 5),
    "DeleteTags": (100, 10),
    "DeleteVolume": (100, 5),
    "DeleteVpcEndpoints": (4, 0.3),
    "DescribeInstanceTopology": (1, 1),
    "DescribeSecurityGroupReferences": (20, 5),
    "DescribeStaleSecurityGroups": (20, 5),
    "DisassociateNatGatewayAddress": (10, 1),
    "ModifyInstanceMetadataOptions": (100, 5),
    "ModifyLaunchTemplate": (100, 5),
    "ModifyNetworkInterfaceAttribute": (100, 5),
    "ModifyVpcEndpoint": (4, 0.3),
    "RunInstances": (5, 2),
    "StartInstances": (5, 2),
}
# "Best practices design patterns: optimizing Amazon S3 performance", S3 User Guide: a second, for each prefix.
S3_READS, S3_WRITES = (5500, 5500), (3500, 3500)
# "IAM and AWS STS quotas", IAM User Guide: a second, all operations together.
STS = (600, 600)
# "Troubleshooting Amazon ECR error messages", ECR User Guide.
ECR_TOKEN = (200, 20)
# AWS publishes none for IAM, EKS, ELB, ECR's other operations and tags ("How to monitor and query IAM resources at scale,
# part 2", AWS Security Blog: token buckets that differ by API). These are assumed, and on the low side.
READS, WRITES = (20, 10), (10, 5)

_lock = threading.Lock()


def take(sandbox: Sandbox, call: Call) -> None:
    """One token for this call, or the service's throttling error."""
    mode = sandbox.modes.one(Throttling)
    if mode is None or not call.operation:
        return
    bucket, (size, refill) = _bucket(call)
    size = max(1.0, size * mode.share)
    moment = time.monotonic()
    with _lock:
        tokens, last = mode.buckets.get(bucket, (size, moment))
        tokens = min(size, tokens + (moment - last) * refill * mode.share)
        refused = tokens < 1
        mode.buckets[bucket] = (tokens if refused else tokens - 1, moment)
        if refused:
            mode.refused[call.action] = mode.refused.get(call.action, 0) + 1
    if refused:
        raise throttled.error(call)


def _bucket(call: Call) -> tuple[tuple[str, ...], Rate]:
    own = (call.service, call.region, call.operation)
    match call.service:
        case "ec2" if call.operation in EC2:
            return own, EC2[call.operation]
        case "ec2" if call.operation in UNFILTERED and not any(call.params.get(key) for key in NARROWS):
            return (*own, "unfiltered"), EC2_UNFILTERED
        case "ec2":
            return own, EC2_WRITES if call.mutating else EC2_READS
        case "s3":
            prefix = (call.params.get("Bucket") or "", (call.params.get("Key") or "").rpartition("/")[0])
            return ("s3", *prefix, "writes" if call.mutating else "reads"), S3_WRITES if call.mutating else S3_READS
        case "sts":
            return ("sts", call.region), STS
        case "ecr" if call.operation == "GetAuthorizationToken":
            return own, ECR_TOKEN
    return own, WRITES if call.mutating else READS
