"""What runs inside a node's namespaces: mounts, network, then containerd, kubelet and kube-proxy, kept running."""

import json
import logging
import os
import socket
import sys
import time
from pathlib import Path

from supervisor import cgroups
from supervisor.process import Process, run, wait_until

# Settings that the kubelet insists on and would write for the whole machine: it finds them as it wants them.
SYSCTLS = {
    "vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000,
}


def main(directory: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    node = json.loads((directory / "node.json").read_text())
    prepare_mounts(directory)
    socket.sethostname(node["hostname"])
    prepare_network(node)
    environment = dict(os.environ)
    logs = Path(node["logs"])
    containerd = Process("containerd", ["containerd", "--config", directory / "containerd.toml"], environment, logs)
    wait_until("containerd", lambda: containerd.running and Path("/run/containerd/containerd.sock").exists(), 20)
    Process("kubelet", [node["cluster"], *node["kubelet"]], environment, logs)
    proxy, wanted = None, directory / "kube-proxy"
    while True:
        if wanted.exists() and proxy is None:
            proxy = Process("kube-proxy", [node["cluster"], *node["kube-proxy"]], environment, logs)
        elif not wanted.exists() and proxy is not None:
            proxy.stop()
            proxy = None
        time.sleep(0.2)


def prepare_mounts(directory: Path) -> None:
    """Fixed paths of the kubelet and of containerd lie in this node's own directory, or in memory."""
    cgroups.mount(run)
    for path in ("/run", "/var/lib", "/var/log"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
    for path in ("/var/lib/kubelet", "/var/log/pods"):
        source = directory / path.removeprefix("/var/").replace("/", "-")
        source.mkdir()
        Path(path).mkdir()
        run("mount", "--bind", str(source), path)
    # Pods' volumes are mounted below, and must be seen by their containers and, where asked for, back here.
    run("mount", "--make-rshared", "/")
    for name, value in SYSCTLS.items():
        file = directory / "sysctl" / name.replace("/", "-")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{value}\n")
        run("mount", "--bind", str(file), f"/proc/sys/{name}")


def prepare_network(node: dict) -> None:
    wait_until("the node's network link", lambda: Path("/sys/class/net/eth0").exists(), 20, every=0.01)
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", f"{node['address']}/32", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    run("ip", "route", "add", node["gateway"], "dev", "eth0", "scope", "link")
    run("ip", "route", "add", "default", "via", node["gateway"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
