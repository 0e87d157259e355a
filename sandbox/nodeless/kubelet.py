"""Nodes without machines: each has a Node, its pods run at once and end at once, and their ports are the gateway's."""

from __future__ import annotations

import datetime
import logging
import re
import socket
import ssl
import threading
import time

from aws.world import NodeSpec
from supervisor.kubeapi import KubeApi, NotFound

from .server import serve
from .websocket import WebSocket

log = logging.getLogger("kubelet")

PORT = 10250
PLUGIN, GPU = "nvidia-device-plugin", "nvidia.com/gpu"
MERGE = "application/merge-patch+json"
HEARTBEAT_SECONDS = 10


class Kubelets:
    """All nodes of one cluster, in one."""

    def __init__(self, api: KubeApi, address: str, files: list[str], started):
        """`started(pod)`: what else begins with a pod."""
        self._api, self._address, self._started = api, address, started
        self._nodes: dict[str, NodeSpec] = {}  # by name
        self._ready: set[tuple[str, str]] = set()  # node and UID of the pods that run
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
        serve(address, PORT, self._port_forward, {}, tls)
        for work in (self._watch, self._beat):
            threading.Thread(target=work, name=f"kubelets {work.__name__}", daemon=True).start()

    def start(self, spec: NodeSpec) -> None:
        self._nodes[spec.private_dns] = spec
        labels = {
            "kubernetes.io/hostname": spec.private_dns, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/zone": spec.zone, "topology.kubernetes.io/region": spec.region,
            "node.kubernetes.io/instance-type": spec.instance_type, "eks.amazonaws.com/nodegroup": spec.nodegroup, **spec.labels,
        }
        taints = [{"key": taint["key"], "value": taint.get("value", ""), "effect": taint["effect"]} for taint in spec.taints]
        self._api.call("POST", "/api/v1/nodes", {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": spec.private_dns, "labels": labels},
            "spec": {"providerID": f"aws:///{spec.zone}/{spec.instance_id}", "taints": taints}, "status": self._node_status(spec, 0),
        })

    def runs(self, instance: str) -> bool:
        return any(spec.instance_id == instance for spec in self._nodes.values())

    def serves(self, address: str) -> bool:
        """Whether a pod runs on the node with this address."""
        names = {name for name, spec in self._nodes.items() if spec.private_ip == address}
        return any(node in names for node, _ in list(self._ready))

    def stop(self, instance: str) -> None:
        for name in [name for name, spec in list(self._nodes.items()) if spec.instance_id == instance]:
            self._nodes.pop(name)
            for pod in self._api.call("GET", f"/api/v1/pods?fieldSelector=spec.nodeName={name}")["items"]:
                self._end(pod)
            self._api.delete(f"/api/v1/nodes/{name}")

    def stop_all(self) -> None:
        for spec in list(self._nodes.values()):
            self.stop(spec.instance_id)

    def _watch(self) -> None:
        while True:
            try:
                for event in self._api.watch("/api/v1/pods"):
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self._see(event["object"])
            except Exception as error:  # noqa: BLE001 - whatever it was, what is there is seen again
                log.warning("pods: %s", error)
                time.sleep(0.2)

    def _see(self, pod: dict) -> None:
        spec = self._nodes.get(pod["spec"].get("nodeName", ""))
        if spec is None:
            return
        try:
            if "deletionTimestamp" in pod["metadata"]:
                self._end(pod)
            elif pod["status"].get("phase") != "Running":
                self._run(pod, spec)
        except NotFound:
            pass  # it went meanwhile
        except RuntimeError as error:
            log.warning("%s: %s", pod["metadata"]["name"], error)

    def _run(self, pod: dict, spec: NodeSpec) -> None:
        meta, now = pod["metadata"], datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if meta["labels"].get("app.kubernetes.io/name", "").startswith(PLUGIN):
            self._api.call("PATCH", f"/api/v1/nodes/{spec.private_dns}/status", {"status": self._node_status(spec, spec.gpus)}, MERGE)
        else:
            self._started(pod)
            self._ready.add((spec.private_dns, meta["uid"]))
        kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")

        def ran(container: dict, state: dict) -> dict:
            return {"name": container["name"], "image": container["image"], "imageID": "", "ready": True, "restartCount": 0, "started": True, "state": state}

        over = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
        self._api.call("PATCH", f"{_place(meta)}/status", {"status": {
            "phase": "Running", "startTime": now, "podIP": self._address, "podIPs": [{"ip": self._address}], "hostIP": self._address,
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
            "initContainerStatuses": [ran(container, over) for container in pod["spec"].get("initContainers", [])],
            "containerStatuses": [ran(container, {"running": {"startedAt": now}}) for container in pod["spec"]["containers"]],
        }}, MERGE)

    def _end(self, pod: dict) -> None:
        self._ready.discard((pod["spec"].get("nodeName", ""), pod["metadata"]["uid"]))
        self._api.delete(f"{_place(pod['metadata'])}?gracePeriodSeconds=0")

    def _beat(self) -> None:
        """Or the controller manager calls the nodes lost."""
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            for name in list(self._nodes):
                try:
                    conditions = {"status": {"conditions": _conditions()}}
                    self._api.call("PATCH", f"/api/v1/nodes/{name}/status", conditions, MERGE)
                except (NotFound, RuntimeError, OSError) as error:
                    log.warning("%s: %s", name, error)

    def _node_status(self, spec: NodeSpec, gpus: int) -> dict:
        size = {"cpu": str(spec.vcpus), "memory": f"{spec.memory_mib}Mi", "pods": str(spec.max_pods), "ephemeral-storage": "100Gi"}
        if gpus:
            size[GPU] = str(gpus)
        return {
            "capacity": size, "allocatable": size, "conditions": _conditions(),
            # Where the API server finds the kubelet. The node's own address leads nowhere.
            "addresses": [{"type": "InternalIP", "address": self._address}, {"type": "Hostname", "address": spec.private_dns}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": PORT}},
            "nodeInfo": dict.fromkeys((
                "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
                "kubeProxyVersion", "operatingSystem", "architecture",
            ), "stand-in"),
        }

    def _port_forward(self, handler) -> None:
        """Protocol v4 of Kubernetes' channels: two a port, for data and for an error; each begins with the port."""
        port = int(re.search(r"[?&]port=(\d+)", handler.path)[1])
        forward = WebSocket(handler, "v4.channel.k8s.io")
        for channel in (0, 1):
            forward.send(bytes([channel]) + port.to_bytes(2, "little"))
        with socket.create_connection((self._address, port)) as served:

            def back() -> None:
                try:
                    while data := served.recv(65536):
                        forward.send(b"\0" + data)
                    forward.close()
                except OSError:
                    pass  # the client has gone

            threading.Thread(target=back, daemon=True).start()
            while message := forward.receive():
                if message[0] == 0:
                    served.sendall(message[1:])


def _conditions() -> list[dict]:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now, "lastTransitionTime": now}]


def _place(meta: dict) -> str:
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
