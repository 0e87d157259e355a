"""What the AWS server asks of this machine (aws/world.py): clusters, nodes, add-ons and balancers, for real."""

import logging
import socket
import threading
import time
from collections import defaultdict

from aws.world import ClusterHandle, Listener, NodeSpec

from supervisor import addons
from supervisor.balancers import Balancers
from supervisor.cluster import Cluster
from supervisor.node import Node
from supervisor.places import Places
from supervisor.registry import Registry
from supervisor.webhooks import Webhooks

log = logging.getLogger("world")


class Machine:
    """Implements aws.world.World."""

    def __init__(self, places: Places, registry: Registry, identify):
        self.registry_host, self.registry_password, self.registry_internal = registry.host, registry.password, registry.internal
        self._places, self._registry = places, registry
        self._balancers = Balancers(places)
        self._webhooks = Webhooks(places.state / "webhooks", identify, self._cluster)
        self._clusters: dict[str, Cluster] = {}
        self._nodes: dict[str, Node] = {}
        self._lock = threading.Lock()
        self._one_at_a_time: dict[str, threading.Lock] = defaultdict(threading.Lock)
        # The principal of clusters and nodes; known once the AWS server runs.
        self.credentials: dict[str, str] = {}

    def cache_service_accounts(self, knows) -> None:
        """`knows(UNIX TIME)`: whether the identity webhook has noticed a service account that was made then."""
        self._webhooks.knows = knows

    def start_cluster(self, name: str, arn: str, version: str, service_cidr: str, issuer: str) -> ClusterHandle:
        with self._alone(name):
            cluster = self._clusters.get(name)
            if cluster is None:
                began = time.monotonic()
                cluster = Cluster(self._places, self._free_index(self._clusters), name, arn, version, service_cidr, issuer, self._webhooks)
                self._clusters[name] = cluster
                threading.Thread(target=self._join_cloud, args=(cluster,), name=f"cloud {name}", daemon=True).start()
                log.info("cluster %s is ready after %.1f s", name, time.monotonic() - began)
            return ClusterHandle(cluster.endpoint, cluster.authority.base64, cluster.service_accounts.jwks)

    def stop_cluster(self, name: str) -> None:
        with self._alone(name):
            for instance in [instance for instance, node in list(self._nodes.items()) if node.cluster.name == name]:
                self._nodes.pop(instance).stop()
            cluster = self._clusters.pop(name, None)
            if cluster:
                cluster.stop()
                log.info("cluster %s is gone", name)

    def start_node(self, cluster: str, node: NodeSpec) -> None:
        with self._alone(node.instance_id):
            if node.instance_id in self._nodes:
                return
            owner = self._cluster(cluster)
            with self._lock:
                taken = next((other for other in self._nodes.values() if other.spec.private_ip == node.private_ip), None)
                if taken:
                    raise ValueError(f"{node.private_ip} is {taken.spec.instance_id}'s: addresses must differ in the whole sandbox")
            started = Node(self._places, owner, self._free_index(self._nodes), node, self._registry, self.credentials)
            self._nodes[node.instance_id] = started
            started.network("vpc-cni" in owner.addons)
            started.proxy("kube-proxy" in owner.addons)

    def node_ready(self, cluster: str, instance_id: str) -> tuple[bool, str]:
        node = self._nodes.get(instance_id)
        return node.ready() if node else (False, f"{instance_id} does not run")

    def stop_node(self, cluster: str, instance_id: str) -> None:
        with self._alone(instance_id):
            node = self._nodes.pop(instance_id, None)
            if node:
                node.stop()
                node.forget()

    def apply_addon(self, cluster: str, addon: str, version: str, configuration: dict) -> None:
        owner = self._cluster(cluster)
        owner.addons[addon] = version
        addons.apply(owner, addon, version, configuration, self._registry)
        self._set_up_nodes(owner)

    def addon_health(self, cluster: str, addon: str) -> tuple[bool, str]:
        return addons.health(self._cluster(cluster), addon)

    def delete_addon(self, cluster: str, addon: str) -> None:
        owner = self._clusters.get(cluster)
        if owner and owner.addons.pop(addon, None):
            addons.delete(owner, addon)
            self._set_up_nodes(owner)

    def start_balancer(self, dns_name: str, listeners: list[Listener]) -> None:
        self._balancers.start(dns_name, listeners)

    def stop_balancer(self, dns_name: str) -> None:
        self._balancers.stop(dns_name)

    def target_healthy(self, ip: str, port: int) -> bool:
        try:
            with socket.create_connection((ip, port), timeout=1):
                return True
        except OSError:
            return False

    def status(self) -> dict:
        """What runs, for `sandbox/run status`."""
        return {
            "clusters": {
                cluster.name: {
                    "endpoint": cluster.endpoint, "kubeconfig": str(cluster.admin_kubeconfig), "addons": dict(cluster.addons),
                    "processes": {process.name: process.running for process in cluster.processes()},
                    "nodes": {node.name: node.spec.instance_id for node in list(self._nodes.values()) if node.cluster is cluster},
                }
                for cluster in list(self._clusters.values())
            },
            "balancers": self._balancers.addresses(),
        }

    def _cluster(self, name: str) -> Cluster:
        try:
            return self._clusters[name]
        except KeyError:
            raise LookupError(f"no cluster {name} runs") from None

    def _alone(self, key: str) -> threading.Lock:
        """Whoever asks twice for the same thing at once waits for the first to be done."""
        with self._lock:
            return self._one_at_a_time[key]

    def _free_index(self, owners: dict) -> int:
        with self._lock:
            taken = {owner.index for owner in owners.values()}
            return next(index for index in range(len(taken) + 1) if index not in taken)

    def _set_up_nodes(self, cluster: Cluster) -> None:
        for node in list(self._nodes.values()):
            if node.cluster is cluster:
                node.network("vpc-cni" in cluster.addons)
                node.proxy("kube-proxy" in cluster.addons)

    def _join_cloud(self, cluster: Cluster) -> None:
        """Start the cloud controller with what it must know of the cluster's network: only the AWS side knows."""
        import boto3

        eks = boto3.client(
            "eks", endpoint_url=self._places.aws_endpoint, region_name=cluster.region,
            aws_access_key_id=self.credentials["AWS_ACCESS_KEY_ID"], aws_secret_access_key=self.credentials["AWS_SECRET_ACCESS_KEY"],
        )
        while self._clusters.get(cluster.name) is cluster:
            try:
                network = eks.describe_cluster(name=cluster.name)["cluster"]["resourcesVpcConfig"]
                cluster.run_cloud_controller(network["vpcId"], network["subnetIds"][0], self.credentials)
                return
            except Exception as error:  # noqa: BLE001 - the AWS side may not know its cluster yet
                log.warning("cluster %s: no cloud controller yet: %s", cluster.name, error)
                time.sleep(1)
