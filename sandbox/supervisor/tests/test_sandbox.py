"""The whole sandbox, started by its own command: what AWS's users rely on works, and in the end nothing is left."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from supervisor import host
from supervisor.places import CACHE, program_environment
from supervisor.tests.account import Deployed, Sandbox, why_not

TOLERATE = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
DEVICE_PLUGIN = {
    "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "device-plugin", "namespace": "kube-system"},
    "spec": {"selector": {"matchLabels": {"app": "dp"}}, "template": {"metadata": {"labels": {"app": "dp"}}, "spec": {
        "tolerations": TOLERATE,
        "containers": [{
            "name": "plugin", "image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.4",
            "volumeMounts": [{"name": "sockets", "mountPath": "/var/lib/kubelet/device-plugins"}],
        }],
        "volumes": [{"name": "sockets", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}],
    }}},
}
SERVICE = {
    "apiVersion": "v1", "kind": "Service",
    "metadata": {"name": "web", "annotations": {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}},
    "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 8080, "targetPort": 8080}]},
}


def pod(name: str, image: str, **container: object) -> dict:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"tolerations": TOLERATE, "terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": image, **container}]},
    }


class Cluster(Deployed):
    def test_a_cluster_runs_pods_and_answers_through_its_balancer(self) -> None:
        sandbox = self.sandbox
        cluster = self.create_cluster()
        self.assertTrue(cluster["endpoint"].startswith("https://"))
        node = self.json("get", "nodes")["items"][0]
        self.the_node_is_a_g4dn_xlarge(node)

        web = pod("web", self.pushed_image(), resources={"limits": {"nvidia.com/gpu": 1}})
        sandbox.kubectl("apply", "-f", "-", apply=[web, SERVICE])
        self.until(lambda: "Insufficient nvidia.com/gpu" in sandbox.kubectl("get", "events"), 60)
        sandbox.kubectl("apply", "-f", "-", apply=[DEVICE_PLUGIN])
        self.until(lambda: self.phase("web") == "Running", 60)
        self.assertEqual(self.json("get", "nodes")["items"][0]["status"]["allocatable"]["nvidia.com/gpu"], "1")

        name = self.until(self.balancer, 60)
        self.until(lambda: self.answers(f"http://{name}:8080/health"), 60)
        self.assertIn(name, Path("/etc/hosts").read_text())
        sandbox.kubectl("delete", "service", "web")
        self.until(lambda: name not in Path("/etc/hosts").read_text(), 60)
        self.anonymous_pulls_are_refused()

    def the_node_is_a_g4dn_xlarge(self, node: dict) -> None:
        allocatable = node["status"]["allocatable"]
        self.assertEqual((allocatable["cpu"], allocatable["memory"], allocatable["pods"]), ("3920m", "15710Mi", "29"))
        self.assertNotIn("nvidia.com/gpu", allocatable)
        self.assertRegex(node["spec"]["providerID"], "^aws:///us-east-1[a-f]/i-[0-9a-f]+$")
        self.assertIn({"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}, node["spec"]["taints"])
        self.assertEqual(node["metadata"]["labels"]["nvidia-gpu"], "true")

    def pushed_image(self) -> str:
        """An image that only this account's registry has: a name server, whose health page answers over HTTP."""
        name = f"{self.log_in()}/web:1"
        with tempfile.TemporaryDirectory() as context:
            shutil.copy(CACHE / "bin/coredns", context)
            Path(context, "Corefile").write_text(".:5300 {\n  health :8080\n}\n")
            Path(context, "Dockerfile").write_text('FROM scratch\nCOPY coredns Corefile /\nENTRYPOINT ["/coredns", "-conf", "/Corefile"]\n')
            self.sandbox.docker("build", "--quiet", "--tag", name, context)
        with self.assertRaises(subprocess.CalledProcessError) as refused:
            self.sandbox.docker("push", "--quiet", name)
        self.assertIn("The repository with name 'web' does not exist", refused.exception.stderr)
        self.client("ecr").create_repository(repositoryName="web")
        self.sandbox.docker("push", "--quiet", name)
        return name

    def anonymous_pulls_are_refused(self) -> None:
        address = self.sandbox.environment["AWS_ENDPOINT_URL"].split("/")[2].split(":")[0]
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{address}:5000/v2/web/manifests/1")
        self.assertEqual(refused.exception.code, 401)

    def json(self, *words: str) -> dict:
        return json.loads(self.sandbox.kubectl(*words, "--output", "json"))

    def phase(self, name: str) -> str:
        return self.json("get", "pod", name)["status"]["phase"]

    def balancer(self) -> str | None:
        ingress = self.json("get", "service", "web")["status"]["loadBalancer"].get("ingress")
        return ingress[0]["hostname"] if ingress else None

    def answers(self, url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


@unittest.skipIf(why_not(), why_not())
class Traces(unittest.TestCase):
    def setUp(self) -> None:
        self.sandbox = Sandbox()
        self.before = self.machine()
        self.addCleanup(self.sandbox.remove)

    def machine(self) -> dict:
        """What a sandbox could leave behind; of things that others may change meanwhile, only what names this sandbox."""
        ours = str(self.sandbox.state)
        links = {path.name for path in Path("/sys/class/net").iterdir()}
        rules = subprocess.run(["iptables-save"], env=program_environment(), capture_output=True, text=True).stdout
        return {
            "processes": [pid for pid, places in host._processes() if str(places.state) == ours],
            "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if ours in line],
            "hosts": [line for line in Path("/etc/hosts").read_text().splitlines() if ours in line],
            "links": {link for link in links if link.startswith("tdsb")} - self.links_of_others(),
            "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob("**/tritondeploy-sandbox-*") if path.name not in self.groups_of_others()},
            "rules": [line for line in rules.splitlines() if not line.startswith(("#", ":"))],
            "sysctls": [Path("/proc/sys", name).read_text() for name in ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")],
        }

    def others(self) -> list:
        return [places for _, places in host._processes() if places.state != self.sandbox.state]

    def links_of_others(self) -> set[str]:
        return {places.link for places in self.others()}

    def groups_of_others(self) -> set[str]:
        return {places.cgroup for places in self.others()}

    def kill(self) -> None:
        for pid in self.machine()["processes"]:
            with contextlib.suppress(ProcessLookupError):  # one takes the others along
                os.kill(pid, signal.SIGKILL)

    def test_stop_leaves_nothing(self) -> None:
        self.sandbox.start()
        self.assertIn("registry, registry-guard, dockerd, resolver", self.sandbox.run("status"))
        self.sandbox.run("stop")
        self.assertEqual(self.machine(), self.before)
        self.assertIn("no sandbox runs", self.sandbox.run("env", check=False))

    def test_a_kill_leaves_nothing_that_stop_does_not_take_away(self) -> None:
        self.sandbox.start()
        self.kill()
        self.sandbox.run("stop")
        self.assertEqual(self.machine(), self.before)

    def test_a_start_after_a_kill_begins_empty(self) -> None:
        self.sandbox.start()
        old = self.sandbox.environment
        self.kill()
        self.sandbox.start()
        self.assertNotEqual(self.sandbox.environment["AWS_SECRET_ACCESS_KEY"], old["AWS_SECRET_ACCESS_KEY"])

    def test_sandboxes_run_side_by_side(self) -> None:
        other = Sandbox()
        self.addCleanup(other.remove)
        self.sandbox.start()
        other.start()
        self.assertNotEqual(self.sandbox.environment["AWS_ENDPOINT_URL"], other.environment["AWS_ENDPOINT_URL"])
        other.run("stop")
        self.assertIn("resolver", self.sandbox.run("status"))
