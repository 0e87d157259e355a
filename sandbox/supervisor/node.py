"""One node: an instance's worth of namespaces with containerd, kubelet and kube-proxy in them (nodeinit.py)."""

import json
import logging
import shutil
import subprocess
import uuid
from pathlib import Path

from supervisor import cgroups, kubelet, runtime
from supervisor.places import CLUSTER, PYTHON, SOURCE, TINI, Places, program_environment
from supervisor.process import Process, run, wait_until

log = logging.getLogger("node")

# The router that every node sees as its gateway, whatever its subnet: link-local, on the node's own link.
GATEWAY = "169.254.1.1"


class Node:
    def __init__(self, places: Places, cluster, index: int, spec, registry, credentials: dict[str, str]):
        self.spec, self.cluster, self.index = spec, cluster, index
        self.name = spec.private_dns
        self.directory = places.state / "nodes" / spec.instance_id
        self.pods = f"100.64.{index}.0/24"
        self._places = places
        self._link, self._cgroup = f"node{index}", f"node-{spec.instance_id}"
        self._write_files(registry, credentials)
        run("ip", "link", "add", self._link, "type", "veth", "peer", "name", f"{self._link}p")
        self._process = Process(
            f"{cluster.name}/{spec.instance_id}",
            [*cgroups.entering(self._cgroup), "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc",
             TINI, "-g", "--", PYTHON, "-m", "supervisor.nodeinit", self.directory],
            {**program_environment(), "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}, places.logs, restart=False,
        )
        self._connect()

    def _write_files(self, registry, credentials: dict[str, str]) -> None:
        directory = self.directory
        directory.mkdir(parents=True)
        gpus = directory / "gpus"
        gpus.mkdir()
        for _ in range(self.spec.gpus):
            (gpus / f"GPU-{uuid.uuid4()}").touch()
        (directory / "resolv.conf").write_text(f"nameserver {self._places.address}\nsearch {self._domain()}\n")
        runtime.write(directory, registry, self.spec.region, gpus)
        kubelet.write(directory, self.cluster, self.spec, registry, self._places, credentials)
        proxy = self.cluster.authority.kubeconfig("kube-proxy", self.cluster.endpoint, "system:kube-proxy")
        (directory / "node.json").write_text(json.dumps({
            "hostname": self.name, "address": self.spec.private_ip, "gateway": GATEWAY, "cluster": str(CLUSTER),
            "logs": str(self._places.logs / self.cluster.name / self.spec.instance_id),
            "kubelet": kubelet.command(directory, self.spec),
            "kube-proxy": ["kube-proxy", f"--kubeconfig={proxy}", f"--hostname-override={self.name}", "--proxy-mode=iptables",
                           f"--cluster-cidr={self.pods}", "--conntrack-max-per-core=0",
                           "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"],
        }))

    def _domain(self) -> str:
        return self.name.split(".", 1)[1] if "." in self.name else "ec2.internal"

    def _connect(self) -> None:
        """Give the node its end of the link, and route its address and its pods there."""
        def inner() -> str:
            return Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0]

        wait_until(f"the namespaces of node {self.name}", inner, 10, every=0.01)
        run("ip", "addr", "add", f"{GATEWAY}/32", "dev", self._link)
        run("ip", "link", "set", self._link, "up")
        run("ip", "link", "set", f"{self._link}p", "netns", inner(), "name", "eth0")
        run("ip", "route", "add", f"{self.spec.private_ip}/32", "dev", self._link)
        run("ip", "route", "add", self.pods, "via", self.spec.private_ip, "dev", self._link, "onlink")

    def network(self, enabled: bool) -> None:
        """What the vpc-cni add-on brings: without it the node has no pod network and is not Ready."""
        file = self.directory / "cni" / "10-aws.conflist"
        if not enabled:
            file.unlink(missing_ok=True)
            return
        partial = file.with_name(".partial")
        partial.write_text(json.dumps({
            "cniVersion": "1.0.0", "name": "aws-cni", "plugins": [
                # A link and a route for each pod, as AWS's own: the node routes between its pods, so that Services work
                # between them without the kernel's bridge filter.
                {"type": "ptp", "ipam": {
                    "type": "host-local", "ranges": [[{"subnet": self.pods}]], "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": str(self.directory / "ipam"),
                }},
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }))
        partial.rename(file)

    def proxy(self, enabled: bool) -> None:
        """What the kube-proxy add-on brings: without it no Service answers on the node."""
        flag = self.directory / "kube-proxy"
        flag.touch() if enabled else flag.unlink(missing_ok=True)

    def ready(self) -> tuple[bool, str]:
        if not self._process.running:
            return False, f"the node's processes ended: {self._process.last_words(3)}"
        found = self.cluster.api.get(f"/api/v1/nodes/{self.name}")
        if found is None:
            return False, f"the kubelet has not registered {self.name} yet"
        for condition in found["status"].get("conditions", []):
            if condition["type"] == "Ready":
                return condition["status"] == "True", condition.get("message", "")
        return False, "no Ready condition yet"

    def forget(self) -> None:
        """Nobody waits for what ran on an instance that is gone: its pods and its Node go from the cluster at once."""
        pods = self.cluster.api.call("GET", f"/api/v1/pods?fieldSelector=spec.nodeName={self.name}")
        for pod in pods["items"]:
            meta = pod["metadata"]
            self.cluster.api.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}?gracePeriodSeconds=0")
        self.cluster.api.delete(f"/api/v1/nodes/{self.name}")

    def stop(self) -> None:
        """Terminate the instance."""
        self._process.stop(patience=0.5)
        # The link goes with the namespace, but not at once.
        subprocess.run(["ip", "link", "del", self._link], check=False, stderr=subprocess.DEVNULL)
        left = cgroups.remove(self._cgroup)
        if left:
            log.warning("cgroups of %s left: %s", self.name, left)
        shutil.rmtree(self.directory, ignore_errors=True)

