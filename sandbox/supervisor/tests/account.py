"""A sandbox started by its own command, and the reference deployment's network, cluster and node group on it."""

import base64
import json
import os
import shlex
import shutil
import subprocess
import unittest
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import boto3
from aws.tests.account import Account, Network
from botocore.config import Config

from supervisor.places import CACHE, DEBS

RUN = Path(__file__).resolve().parents[2] / "run"
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy")


def why_not() -> str | None:
    """Why a sandbox cannot run here."""
    if os.geteuid() != 0:
        return "needs root"
    return None if (CACHE / "images/registry").exists() else "not built: sandbox/run build"


class Sandbox:
    def __init__(self) -> None:
        self.state = Path(mkdtemp(prefix="tdsb-test-"))
        self.environment: dict[str, str] = {}

    def run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([str(RUN), "-s", str(self.state), *words], capture_output=True, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"sandbox/run {' '.join(words)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def start(self) -> None:
        self.run("start")
        lines = (shlex.split(line)[1] for line in self.run("env").splitlines())
        self.environment = dict(line.split("=", 1) for line in lines)

    def remove(self) -> None:
        self.run("stop")
        shutil.rmtree(self.state)

    def kubectl(self, *words: str, apply: list[dict] | None = None) -> str:
        command = [str(RUN), "-s", str(self.state), "kubectl", "c", *words]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": apply}) if apply else None
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

    def docker(self, *words: str) -> str:
        environment = {**os.environ, **self.environment, "HOME": str(self.state)}
        return subprocess.run([str(DEBS / "usr/bin/docker"), *words], env=environment, capture_output=True, text=True, check=True).stdout


class Deployed(Account):
    """Like the AWS side's tests, with the client of a real sandbox."""

    sandbox: Sandbox

    @classmethod
    def setUpClass(cls) -> None:
        if reason := why_not():
            raise unittest.SkipTest(reason)
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.remove)
        cls.sandbox.start()

    def run(self, result: Any = None) -> Any:
        return unittest.TestCase.run(self, result)

    def setUp(self) -> None:
        """What the AWS side checks after each of its tests is not ours."""

    def client(self, service: str, **_: str) -> Any:
        known = self.sandbox.environment
        return boto3.client(
            service, region_name=known["AWS_REGION"], endpoint_url=known["AWS_ENDPOINT_URL"], config=Config(retries={"total_max_attempts": 1}),
            aws_access_key_id=known["AWS_ACCESS_KEY_ID"], aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        )

    def create_cluster(self) -> dict:
        eks, network = self.client("eks"), Network(self)
        eks.create_cluster(
            name="c", roleArn=self.role("cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy"), bootstrapSelfManagedAddons=False,
            resourcesVpcConfig={"subnetIds": network.private + network.public},
            accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
        )
        self.until(lambda: eks.describe_cluster(name="c")["cluster"]["status"] == "ACTIVE", 60)
        for addon in ("vpc-cni", "kube-proxy"):
            eks.create_addon(clusterName="c", addonName=addon)
        eks.create_nodegroup(
            clusterName="c", nodegroupName="gpu", subnets=network.private, nodeRole=self.role("node", "ec2.amazonaws.com", *NODE_POLICIES),
            amiType="AL2023_x86_64_NVIDIA", instanceTypes=["g4dn.xlarge"], scalingConfig={"minSize": 1, "maxSize": 1, "desiredSize": 1},
            labels={"nvidia-gpu": "true"}, taints=[{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
        )
        self.until(lambda: eks.describe_nodegroup(clusterName="c", nodegroupName="gpu")["nodegroup"]["status"] == "ACTIVE", 60)
        return eks.describe_cluster(name="c")["cluster"]

    def log_in(self) -> str:
        """Returns the host of the registry that Docker is logged in to."""
        token = self.client("ecr").get_authorization_token()["authorizationData"][0]
        user, password = base64.b64decode(token["authorizationToken"]).decode().split(":")
        host = token["proxyEndpoint"].split("://")[1]
        self.sandbox.docker("login", "--username", user, "--password", password, host)
        return host
