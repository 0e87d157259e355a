"""What the AWS side asks of the machine (aws/world.py), in the control plane that `python -m nodeless` keeps."""

from __future__ import annotations

import json
import logging
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aws import backends, sts
from aws.eks import state
from aws.server import Server
from aws.world import ClusterHandle, Listener, NodeSpec
from supervisor import webhooks
from supervisor.kubeapi import KubeApi
from supervisor.places import CLUSTER, program_environment

from .gateway import Gateway
from .kubelet import Kubelets
from .registry import Registry
from .wipe import wipe

log = logging.getLogger("nodeless")

REGION = "us-east-1"
# Ends its program when standard input ends: with this process, however that ends.
BOUND = '"$@" </dev/null & read -r _; kill -9 $!'


class NodelessWorld:
    """For one account. It has one cluster at a time."""

    registry_password = "no-password"

    def __init__(self, directory: Path, alias: str):
        """`alias`: of the one model that its gateway answers for."""
        self._directory = directory
        plane = json.loads((directory / "plane.json").read_text())
        self._plane, self._address = plane, plane["address"]
        self._api = KubeApi(plane["endpoint"], Path(plane["authority_file"]), *map(Path, plane["admin"]))
        registry = Registry(self._address)
        self.registry_host, self.registry_internal = registry.host, f"http://{registry.host}"
        self._gateway = Gateway(self._address, alias)
        self._kubelets = Kubelets(self._api, self._address, plane["kubelet"], self._pod_started)
        self._names: dict[str, str] = {}
        self._cluster = ""
        self._cloud: subprocess.Popen | None = None
        self._server: Server | None = None
        self._credentials: dict[str, str] = {}

    def join(self, server: Server) -> None:
        """The account that it belongs to answers from now on."""
        self._server = server
        self._credentials = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), server.new_user("eks")))
        certificate, key = map(Path, self._plane["webhooks"])
        cluster = SimpleNamespace(api=self._api, region=REGION)
        knows = server.sandbox.modes.knows_service_account
        webhooks.listen(self._address, certificate, key, lambda token, _: sts.identify(token, self._cluster), lambda _: cluster, knows)
        self._write_names()

    def start_cluster(self, name: str, arn: str, version: str, service_cidr: str, issuer: str) -> ClusterHandle:
        if self._cluster not in ("", name):
            raise ValueError(f"{self._cluster} runs: this world has one cluster at a time")
        if not self._cluster:
            wipe(self._api)
            self._cluster = name
            self._start_cloud_controller(name)
        return ClusterHandle(self._plane["endpoint"], self._plane["authority"], lambda: {"keys": []})

    def stop_cluster(self, name: str) -> None:
        if name != self._cluster:
            return
        self._kubelets.stop_all()
        if self._cloud:
            self._cloud.stdin.close()
            self._cloud.wait()
        self._cluster, self._cloud = "", None

    def start_node(self, cluster: str, node: NodeSpec) -> None:
        if not self._kubelets.runs(node.instance_id):
            self._kubelets.start(node)

    def node_ready(self, cluster: str, instance_id: str) -> tuple[bool, str]:
        return self._kubelets.runs(instance_id), f"{instance_id} does not run"

    def stop_node(self, cluster: str, instance_id: str) -> None:
        self._kubelets.stop(instance_id)

    def apply_addon(self, cluster: str, addon: str, version: str, configuration: dict[str, Any]) -> None:
        pass

    def addon_health(self, cluster: str, addon: str) -> tuple[bool, str]:
        return True, ""

    def delete_addon(self, cluster: str, addon: str) -> None:
        pass

    def start_balancer(self, dns_name: str, listeners: list[Listener]) -> None:
        self._names[dns_name] = self._address
        self._write_names()

    def target_healthy(self, ip: str, port: int) -> bool:
        return self._kubelets.serves(ip)

    def stop_balancer(self, dns_name: str) -> None:
        self._names.pop(dns_name, None)
        self._write_names()

    def _write_names(self) -> None:
        """In place: whoever must know the names has this file mounted over /etc/hosts."""
        lines = [f"{address} {name}\n" for name, address in sorted(self._names.items())]
        (self._directory / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))

    def _pod_started(self, pod: dict) -> None:
        with backends.LOCK:
            buckets = list(backends.s3().buckets)
        self._gateway.pod_started(buckets[0] if buckets else "")

    def _start_cloud_controller(self, name: str) -> None:
        """AWS's own, for Services alone: the stand-ins' nodes say all of themselves."""
        with backends.LOCK:
            cluster = state.clusters[REGION, name]
            vpc, subnet = cluster.vpc, cluster.subnets[0]
        config = self._directory / "cloud.conf"
        config.write_text(f"[Global]\nRegion={REGION}\nVPC={vpc}\nSubnetID={subnet}\nKubernetesClusterID={name}\n")
        environment = {
            **program_environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.port}", "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true", **self._credentials,
        }
        flags = {
            "kubeconfig": self._plane["cloud_controller"], "cloud-provider": "aws", "cloud-config": config, "cluster-name": name,
            "controllers": "service-lb-controller", "configure-cloud-routes": "false", "leader-elect": "false",
            "webhook-secure-port": 0, "secure-port": 0,
        }
        command = ["sh", "-c", BOUND, "sh", str(CLUSTER), "cloud-controller", *(f"--{flag}={value}" for flag, value in flags.items())]
        with (self._directory / "logs/cloud-controller.log").open("ab") as output:
            self._cloud = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output)
