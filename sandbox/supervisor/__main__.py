"""Runs inside the namespaces of one sandbox, as `python -m supervisor --state DIRECTORY --number N`."""

import argparse
import json
import logging
import os
import secrets
import signal
import sys
import threading
import time
from pathlib import Path

from supervisor import cgroups
from supervisor.host import READY
from supervisor.places import AWS_PORT, COREDNS, Places, program_environment
from supervisor.process import Process, run, wait_until
from supervisor.registry import Registry
from supervisor.world import Machine

log = logging.getLogger("supervisor")


def main() -> None:
    parser = argparse.ArgumentParser(prog="supervisor")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
    began = time.monotonic()
    places = Places(arguments.state, arguments.number)
    prepare_machine(places)
    registry = Registry(places, secrets.token_hex(24))
    docker = start_docker(places)

    from aws.server import serve  # late: moto takes a second to load, and the registry starts meanwhile

    machine = Machine(places, registry, identify)
    resolver = start_resolver(places)
    server = serve(machine, host="0.0.0.0", port=AWS_PORT, speed=float(os.environ.get("SANDBOX_SPEED", "60")))
    machine.cache_service_accounts(server.sandbox.modes.knows_service_account)
    machine.credentials = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), server.new_user("eks")))
    guard = registry.open_to_clients(places, machine.credentials)
    registry.wait()
    wait_until("dockerd", places.docker_socket.exists, 30)

    def tell() -> None:
        own = {process.name: process.running for process in (registry.process, guard, docker, resolver)}
        write(places.state / "status.json", {"processes": own, **machine.status()})

    tell()
    write(places.state / READY, {
        "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": places.aws_endpoint, "AWS_EC2_METADATA_DISABLED": "true", "DOCKER_HOST": f"unix://{places.docker_socket}",
    })
    log.info("up after %.1f s: %s", time.monotonic() - began, places.aws_endpoint)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    while not stopping.wait(1):
        tell()


def identify(token: str, cluster: str):
    """Whose EKS bearer token it is, through the cluster's access entries; None if nobody's."""
    from aws import sts

    return sts.identify(token, cluster)


def write(file: Path, content: dict) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1))
    partial.rename(file)


def prepare_machine(places: Places) -> None:
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    cgroups.mount(run)
    temporary = places.state / "tmp"
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    wait_until("the network link", lambda: Path("/sys/class/net/eth0").exists(), 20, every=0.01)
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", f"{places.address}/24", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def start_docker(places: Places) -> Process:
    """A Docker daemon for `docker build` and `docker push`: no network, no image but what is built here."""
    from supervisor.runtime import snapshotter

    driver = {"native": "vfs", "overlayfs": "overlay2"}[snapshotter(places.state)]
    command = [
        "dockerd", "--host", f"unix://{places.docker_socket}", "--data-root", places.state / "docker", "--exec-root", "/run/docker",
        "--pidfile", "/run/docker.pid", "--bridge", "none", "--iptables=false", "--ip-masq=false", "--storage-driver", driver,
        "--insecure-registry", places.registry_host,
    ]
    return Process("dockerd", command, {**program_environment(), "TMPDIR": os.environ["TMPDIR"]}, places.logs)


def start_resolver(places: Places) -> Process:
    """The VPC's name server: it knows the balancers."""
    directory = places.state / "resolver"
    (directory / "Corefile").write_text(
        f".:53 {{\n  bind {places.address}\n  errors\n  hosts {directory / 'hosts'} {{\n    reload 1s\n    ttl 5\n  }}\n}}\n"
    )
    return Process("resolver", [COREDNS, "-conf", directory / "Corefile"], program_environment(), places.logs)


main()
