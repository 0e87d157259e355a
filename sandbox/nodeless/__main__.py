"""`python -m nodeless --directory D --number N`: a control plane, until standard input ends.

Everything listens on one loopback address that follows from N, so that several run side by side. Prints a line once it
is up; the file `plane.json` in D then says all that an account must know (`world.py`). D goes with it.
"""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from supervisor.cluster import Cluster
from supervisor.webhooks import Address

NAME, REGION = "plane", "us-east-1"
# Its ports begin at 16443: above those of the stand-ins, below those that the kernel gives to clients.
FIRST = 1000


@dataclass(frozen=True)
class Places:
    """What a cluster asks of `supervisor.places.Places`."""

    state: Path
    address: str

    @property
    def logs(self) -> Path:
        return self.state / "logs"


def main() -> None:
    parser = argparse.ArgumentParser(prog="nodeless", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True, help="1 to 1600, that of no other on this machine")
    arguments = parser.parse_args()
    directory, number = arguments.directory, arguments.number
    address = f"127.77.{number >> 8}.{number & 255}"
    webhooks = Address(directory / "webhooks", address)
    cluster = Cluster(
        Places(directory, address), FIRST + number, NAME, f"arn:aws:eks:{REGION}:0:cluster/{NAME}", "1.34", "172.20.0.0/16",
        f"https://oidc.eks.{REGION}.amazonaws.com/id/{NAME}", webhooks,
        bind_address=address, endpoint_reconciler_type="none",  # nobody looks for it under the Service of its name
        authentication_token_webhook_cache_ttl="1s",  # nobody waits for EKS's 5 s at speed 600
    )
    admin = cluster.authority.issue("admin", "kubernetes-admin", ("system:masters",))
    kubelet = cluster.authority.issue("kubelet", "kubelet", names=(address,))
    cloud = cluster.authority.kubeconfig("cloud-controller", cluster.endpoint, "cloud-controller-manager", ("system:masters",))
    told = {
        "address": address, "endpoint": cluster.endpoint, "authority": cluster.authority.base64, "authority_file": str(cluster.authority.file),
        "admin": [str(file) for file in admin], "kubelet": [str(file) for file in kubelet], "cloud_controller": str(cloud),
        "webhooks": [str(webhooks.certificate), str(webhooks.key)],
    }
    (directory / "plane.json").write_text(json.dumps(told, indent=1))
    try:
        print("up", flush=True)
        sys.stdin.read()
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)  # whoever made it may have been killed


main()
