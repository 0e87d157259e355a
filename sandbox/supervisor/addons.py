"""EKS add-ons. vpc-cni and kube-proxy are programs of the node here (node.py); CoreDNS is a Deployment, as on AWS."""

from supervisor import manifests
from supervisor.cluster import Cluster
from supervisor.registry import Registry
from supervisor.runtime import eks_registry

COREDNS_BUILT = "built"  # the tag that sandbox/build/images gives it
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"


def apply(cluster: Cluster, addon: str, version: str, configuration: dict, registry: Registry) -> None:
    if addon != "coredns":
        return
    # One CoreDNS is built; it answers under whatever version the add-on has.
    registry.tag("mirror/eks/eks/coredns", COREDNS_BUILT, version)
    for path, manifest in _coredns(cluster, version, configuration):
        cluster.api.apply(path, manifest)


def delete(cluster: Cluster, addon: str) -> None:
    if addon == "coredns":
        for path, manifest in reversed(_coredns(cluster, "any", {})):
            cluster.api.delete(f"{path}/{manifest['metadata']['name']}")


def health(cluster: Cluster, addon: str) -> tuple[bool, str]:
    if addon not in cluster.addons:
        return False, f"{addon} is not installed"
    if addon != "coredns":
        return True, ""
    found = cluster.api.get(DEPLOYMENT)
    if found is None:
        return False, "deployment kube-system/coredns is missing"
    wanted, available = found["spec"]["replicas"], found.get("status", {}).get("availableReplicas", 0)
    if found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"] and available >= wanted:
        return True, ""
    return False, f"deployment kube-system/coredns has {available} of {wanted} replicas available"


def _coredns(cluster: Cluster, version: str, configuration: dict):
    return manifests.coredns(f"{eks_registry(cluster.region)}/eks/coredns", version, cluster.dns_address, configuration)
