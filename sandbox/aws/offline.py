"""A World without Kubernetes: AWS resources can be made, looked at and deleted, but nothing runs behind them. A
cluster's endpoint answers nobody, a node never becomes Ready, no target is healthy; unless it is told to pretend, for
those who test nothing but AWS resources and want their node groups ACTIVE.
"""

from __future__ import annotations

import base64
from typing import Any

from .world import ClusterHandle, Listener, NodeSpec

NOTHING_RUNS = "nothing runs behind this sandbox: it was started without Kubernetes"


class OfflineWorld:
    registry_host = "127.0.0.1:1"
    registry_password = "no-registry"
    registry_internal = ""

    def __init__(self, pretend: bool = False) -> None:
        self._pretend = pretend

    def start_cluster(self, name: str, arn: str, version: str, service_cidr: str, issuer: str) -> ClusterHandle:
        authority = base64.b64encode(f"{NOTHING_RUNS}\n".encode()).decode()
        return ClusterHandle("https://127.0.0.1:1", authority, lambda: {"keys": []})

    def stop_cluster(self, name: str) -> None:
        pass

    def start_node(self, cluster: str, node: NodeSpec) -> None:
        pass

    def node_ready(self, cluster: str, instance_id: str) -> tuple[bool, str]:
        return self._pretend, NOTHING_RUNS

    def stop_node(self, cluster: str, instance_id: str) -> None:
        pass

    def apply_addon(self, cluster: str, addon: str, version: str, configuration: dict[str, Any]) -> None:
        pass

    def addon_health(self, cluster: str, addon: str) -> tuple[bool, str]:
        # These two are daemons of the nodes: without a node there is nothing that could be ill.
        return self._pretend or addon in ("vpc-cni", "kube-proxy"), NOTHING_RUNS

    def delete_addon(self, cluster: str, addon: str) -> None:
        pass

    def start_balancer(self, dns_name: str, listeners: list[Listener]) -> None:
        pass

    def target_healthy(self, ip: str, port: int) -> bool:
        return self._pretend

    def stop_balancer(self, dns_name: str) -> None:
        pass
