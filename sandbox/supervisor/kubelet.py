"""A node's kubelet: its configuration, its credentials, its command."""

import json
from pathlib import Path

from supervisor.places import CLUSTER, Places

EVICTION_MIB = 100


def write(directory: Path, cluster, spec, registry, places: Places, credentials: dict[str, str]) -> None:
    kubeconfig = cluster.authority.kubeconfig(f"node-{spec.instance_id}", cluster.endpoint, f"system:node:{spec.private_dns}", ("system:nodes",))
    (directory / "kubeconfig").write_text(kubeconfig.read_text())
    (directory / "kubelet.json").write_text(json.dumps(_configuration(directory, cluster, spec)))
    plugins = directory / "credential-plugins"
    plugins.mkdir()
    # The kubelet runs a plugin by its file's name and gives it no leading argument.
    plugin = plugins / "ecr-credential-provider"
    plugin.write_text(f'#!/bin/sh\nexec {CLUSTER} ecr-credential-provider "$@"\n')
    plugin.chmod(0o755)
    environment = {"AWS_ENDPOINT_URL": places.aws_endpoint, "AWS_REGION": spec.region, "AWS_EC2_METADATA_DISABLED": "true", **credentials}
    (directory / "credentials.json").write_text(json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig",
        "providers": [{
            "name": plugin.name, "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "matchImages": [registry.host],
            "defaultCacheDuration": "1h", "env": [{"name": name, "value": value} for name, value in environment.items()],
        }],
    }))


def command(directory: Path, spec) -> list[str]:
    flags = {
        "config": directory / "kubelet.json", "kubeconfig": directory / "kubeconfig", "root-dir": "/var/lib/kubelet",
        "cert-dir": directory / "pki", "hostname-override": spec.private_dns, "node-ip": spec.private_ip, "cloud-provider": "external",
        "node-labels": ",".join(f"{key}={value}" for key, value in _labels(spec).items()),
        "image-credential-provider-config": directory / "credentials.json",
        "image-credential-provider-bin-dir": directory / "credential-plugins",
        "machine-cores": spec.vcpus, "machine-memory-mib": spec.memory_mib,
    }
    return ["kubelet", *(f"--{name}={value}" for name, value in flags.items())]


def _labels(spec) -> dict[str, str]:
    """The node group's labels and those that EKS adds; the cloud controller adds zone and type."""
    return {"eks.amazonaws.com/nodegroup": spec.nodegroup, "eks.amazonaws.com/capacityType": "ON_DEMAND", **spec.labels}


def _configuration(directory: Path, cluster, spec) -> dict:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": str(cluster.authority.file)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs", "failSwapOn": False, "failCgroupV1": False, "makeIPTablesUtilChains": True,
        "clusterDNS": [cluster.dns_address], "clusterDomain": "cluster.local", "resolvConf": str(directory / "resolv.conf"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "providerID": f"aws:///{spec.zone}/{spec.instance_id}",
        "registerWithTaints": [_taint(taint) for taint in spec.taints],
        "maxPods": spec.max_pods, "kubeReserved": _reserved(spec),
        # The machine's own memory and disk are shared with whatever else runs on it: never evict for that.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "volumePluginDir": str(directory / "volume-plugins"), "podLogsDir": "/var/log/pods",
        "serializeImagePulls": False, "registryPullQPS": 0, "eventRecordQPS": 0, "nodeStatusUpdateFrequency": "2s",
        "shutdownGracePeriod": "0s", "enableServer": True, "rotateCertificates": False,
    }


def _taint(taint: dict) -> dict:
    return {"key": taint["key"], "value": taint.get("value", ""), "effect": taint["effect"]}


def _reserved(spec) -> dict[str, str]:
    """What the EKS AMI reserves (amazon-eks-ami's rules), with the eviction threshold, which takes of allocatable too."""
    shares = [6, 1, 0.5, 0.5] + [0.25] * max(0, spec.vcpus - 4)
    cpu = sum(share * 10 for share in shares[: spec.vcpus])
    return {"cpu": f"{cpu:.0f}m", "memory": f"{255 + 11 * spec.max_pods + EVICTION_MIB}Mi", "ephemeral-storage": "1Gi"}
