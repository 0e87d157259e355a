"""What an instance type gives its node."""

from __future__ import annotations

from dataclasses import dataclass

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES


@dataclass(frozen=True)
class Size:
    vcpus: int
    memory_mib: int
    gpus: int
    max_pods: int


def size(name: str) -> Size | None:
    info = INSTANCE_TYPES.get(name)
    if info is None:
        return None
    network = info["NetworkInfo"]
    # With the VPC CNI every pod has an address of the subnet (amazon-eks-ami, "eni-max-pods.txt").
    pods = network["MaximumNetworkInterfaces"] * (network["Ipv4AddressesPerInterface"] - 1) + 2
    gpus = sum(gpu.get("Count", 0) for gpu in info.get("GpuInfo", {}).get("Gpus", []))
    return Size(info["VCpuInfo"]["DefaultVCpus"], info["MemoryInfo"]["SizeInMiB"], gpus, pods)


def offered(name: str, region: str, zone: str) -> bool:
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    return any(offer["InstanceType"] == name and offer["Location"] == zone for offer in offers)
