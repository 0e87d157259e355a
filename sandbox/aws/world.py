"""What the AWS side asks of the machine: a Kubernetes for every EKS cluster, a kubelet for every node, a listener for
every balancer, and the registry behind ECR. The supervisor implements it; `offline.py` is the one without Kubernetes.

Every call blocks, may come from any thread, and may be repeated: asking for what is there already is no error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class ClusterHandle:
    """A running control plane."""

    endpoint: str  # https://ADDRESS:PORT
    certificate_authority: str  # base64 of the PEM, as EKS gives it
    jwks: Callable[[], dict[str, Any]]  # the keys that sign service account tokens, as the issuer publishes them


@dataclass(frozen=True)
class NodeSpec:
    """A kubelet to start: everything that its instance type, node group and subnet say about it."""

    instance_id: str
    nodegroup: str
    private_ip: str
    private_dns: str
    zone: str
    region: str
    instance_type: str
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[dict[str, str]] = field(default_factory=list)  # key, value, effect (NoSchedule, ...); there from birth
    gpus: int = 0
    max_pods: int = 29
    vcpus: int = 4
    memory_mib: int = 16384


@dataclass(frozen=True)
class Listener:
    """A TCP port of a balancer and where its connections go."""

    port: int
    targets: tuple[tuple[str, int], ...]  # (address, port), sorted


class World(Protocol):
    registry_host: str  # what repositoryUri starts with; pulls and pushes need user AWS and registry_password
    registry_password: str
    registry_internal: str  # http://ADDRESS:PORT of the same registry, with the same credentials

    def start_cluster(self, name: str, arn: str, version: str, service_cidr: str, issuer: str) -> ClusterHandle:
        """Returns when the control plane's /readyz answers."""

    def stop_cluster(self, name: str) -> None: ...

    def start_node(self, cluster: str, node: NodeSpec) -> None:
        """The kubelet registers with providerID aws:///ZONE/INSTANCE, with its labels and taints from birth."""

    def node_ready(self, cluster: str, instance_id: str) -> tuple[bool, str]:
        """Whether the node is Ready, and if not, why."""

    def stop_node(self, cluster: str, instance_id: str) -> None:
        """Drains at once and deletes the Node."""

    def apply_addon(self, cluster: str, addon: str, version: str, configuration: dict[str, Any]) -> None: ...

    def addon_health(self, cluster: str, addon: str) -> tuple[bool, str]:
        """Whether the add-on runs, and if not, why."""

    def delete_addon(self, cluster: str, addon: str) -> None: ...

    def start_balancer(self, dns_name: str, listeners: list[Listener]) -> None:
        """Forwards TCP under that name; called again with the whole list whenever it changes."""

    def target_healthy(self, ip: str, port: int) -> bool:
        """One TCP connect."""

    def stop_balancer(self, dns_name: str) -> None: ...
