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
    nvidia: bool
    architectures: tuple[str, ...]


def size(name: str) -> Size | None:
    info = INSTANCE_TYPES.get(name)
    if info is None:
        return None
    network = info["NetworkInfo"]
    # With the VPC CNI every pod has an address of the subnet (amazon-eks-ami, "eni-max-pods.txt").
    pods = network["MaximumNetworkInterfaces"] * (network["Ipv4AddressesPerInterface"] - 1) + 2
    found = info.get("GpuInfo", {}).get("Gpus", [])
    gpus = sum(gpu.get("Count", 0) for gpu in found)
    nvidia = any(gpu.get("Manufacturer") == "NVIDIA" for gpu in found)
    architectures = tuple(info["ProcessorInfo"]["SupportedArchitectures"])
    return Size(info["VCpuInfo"]["DefaultVCpus"], info["MemoryInfo"]["SizeInMiB"], gpus, pods, nvidia, architectures)


def boots(name: str, ami: str) -> bool:
    """Whether EKS takes the type with this image: same architecture, and an image with NVIDIA's driver wants a GPU."""
    found = size(name)
    architecture = "arm64" if "ARM_64" in ami or "arm64" in ami else "x86_64"
    if found is None or ami == "CUSTOM":
        return found is not None
    return architecture in found.architectures and (found.nvidia or not ("NVIDIA" in ami or "GPU" in ami))


def offered(name: str, region: str, zone: str) -> bool:
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    return any(offer["InstanceType"] == name and offer["Location"] == zone for offer in offers)
