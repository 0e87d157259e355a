"""The image registry: ECR's repositories are in it, and under `mirror/HOST/` what nodes pull from public registries."""

import base64
import fcntl
import os
import shutil
import urllib.request
from pathlib import Path

from supervisor.places import CLUSTER, IMAGES, REGISTRY_PORT, Places, program_environment
from supervisor.process import Process, run, wait_until

USER = "AWS"
STORE_PORT = 5001


class Registry:
    def __init__(self, places: Places, password: str):
        self.host, self.password = places.registry_host, password
        self.internal = f"http://127.0.0.1:{STORE_PORT}"
        directory = places.state / "registry"
        storage = directory / "storage"
        with (IMAGES / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)  # a build of another checkout may be replacing it
            link_tree(IMAGES / "registry", storage)
        (directory / "htpasswd").write_text(run(str(CLUSTER), "htpasswd", USER, password))
        (directory / "config.yml").write_text(f"""\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{STORE_PORT}"}}
auth: {{htpasswd: {{realm: sandbox, path: {directory / "htpasswd"}}}}}
""")
        self.process = Process("registry", ["docker-registry", "serve", directory / "config.yml"], program_environment(), places.logs)

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()

    def open_to_clients(self, places: Places, credentials: dict[str, str]) -> Process:
        """Lets others in, through a guard that refuses pushes to repositories that ECR does not have."""
        environment = {
            **program_environment(), "AWS_ENDPOINT_URL": places.aws_endpoint, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            **credentials,
        }
        command = [CLUSTER, "registry-guard", f"--listen=0.0.0.0:{REGISTRY_PORT}", f"--upstream={self.internal}"]
        return Process("registry-guard", command, environment, places.logs)

    def wait(self) -> None:
        wait_until("the registry", lambda: self._answers(self.internal) and self._answers(f"http://{self.host}"), 20)

    def tag(self, repository: str, known: str, new: str) -> None:
        """Give an image a further tag."""
        accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        path = f"{self.internal}/v2/{repository}/manifests/"
        with self._open(urllib.request.Request(path + known, headers={"Accept": accept})) as answer:
            manifest, kind = answer.read(), answer.headers["Content-Type"]
        with self._open(urllib.request.Request(path + new, method="PUT", data=manifest, headers={"Content-Type": kind})):
            pass

    def _open(self, request: urllib.request.Request):
        request.add_header("Authorization", self.authorization)
        return urllib.request.urlopen(request, timeout=10)

    def _answers(self, url: str) -> bool:
        with self._open(urllib.request.Request(f"{url}/v2/")) as answer:
            return answer.status == 200


def link_tree(source: Path, target: Path) -> None:
    """Copy a registry's storage. Blobs are never written again, so they are linked where the file system allows it."""
    for directory, _, files in os.walk(source):
        into = target / Path(directory).relative_to(source)
        into.mkdir(parents=True, exist_ok=True)
        for name in files:
            file = Path(directory, name)
            try:
                if name != "data":
                    raise OSError("small, and tags are written in place")
                os.link(file, into / name)
            except OSError:
                shutil.copyfile(file, into / name)
