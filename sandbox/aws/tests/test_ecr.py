"""ECR shows what the registry really holds."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import requests

from aws.offline import OfflineWorld

from .account import Account

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tritondeploy"
PROGRAM = CACHE / "debs" / "usr" / "bin" / "docker-registry"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@unittest.skipUnless(PROGRAM.exists(), "no docker-registry: sandbox/build/debs brings it")
class Images(Account):
    def setUp(self) -> None:
        super().setUp()
        self.directory = Path(tempfile.mkdtemp())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = self.directory / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.directory}/s}}, delete: {{enabled: true}}}}\n"
        )
        self.process = subprocess.Popen([PROGRAM, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        world = OfflineWorld(pretend=True)
        world.registry_host, world.registry_password = f"127.0.0.1:{port}", "secret"
        world.registry_internal = self.url = f"http://127.0.0.1:{port}"
        self.before, self.server.sandbox.world = self.server.sandbox.world, world
        self.until(self.answers)

    def tearDown(self) -> None:
        self.server.sandbox.world = self.before
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/v2/", timeout=1).ok
        except requests.RequestException:
            time.sleep(0.05)
            return False

    def push(self, repository: str, tag: str, content: str) -> str:
        def blob(data: bytes) -> dict[str, object]:
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            location = requests.post(f"{self.url}/v2/{repository}/blobs/uploads/").headers["Location"]
            assert requests.put(location, params={"digest": digest}, data=data).status_code == 201
            return {"digest": digest, "size": len(data)}

        config = {"mediaType": "application/vnd.docker.container.image.v1+json", **blob(json.dumps({"a": content}).encode())}
        layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **blob(content.encode())}
        text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
        url = f"{self.url}/v2/{repository}/manifests/{tag}"
        return requests.put(url, data=text, headers={"Content-Type": MANIFEST}).headers["Docker-Content-Digest"]

    def test_images_are_those_of_the_registry(self) -> None:
        ecr = self.client("ecr")
        self.refused("RepositoryNotFoundException", ecr.describe_images, repositoryName="pipe")
        made = ecr.create_repository(repositoryName="pipe", tags=[{"Key": "a", "Value": "b"}])["repository"]
        self.assertEqual(made["repositoryUri"], f"{self.url.removeprefix('http://')}/pipe")
        self.refused("RepositoryAlreadyExistsException", ecr.create_repository, repositoryName="pipe")
        missing = [{"imageTag": "v1"}]
        self.refused("ImageNotFoundException", ecr.describe_images, repositoryName="pipe", imageIds=missing)
        digest = self.push("pipe", "v1", "x" * 1000)
        (shown,) = ecr.describe_images(repositoryName="pipe", imageIds=missing)["imageDetails"]
        self.assertEqual((shown["imageDigest"], shown["imageTags"]), (digest, ["v1"]))
        self.assertGreater(shown["imageSizeInBytes"], 1000)
        got = ecr.batch_get_image(repositoryName="pipe", imageIds=[{"imageTag": "v1"}, {"imageTag": "v9"}])
        self.assertEqual(json.loads(got["images"][0]["imageManifest"])["mediaType"], MANIFEST)
        self.assertEqual(got["failures"][0]["failureCode"], "ImageNotFound")
        second = self.push("pipe", "v1", "y")
        ids = ecr.list_images(repositoryName="pipe")["imageIds"]
        self.assertEqual({i["imageDigest"]: i.get("imageTag") for i in ids}, {digest: None, second: "v1"})
        self.refused("RepositoryNotEmptyException", ecr.delete_repository, repositoryName="pipe")
        ecr.batch_delete_image(repositoryName="pipe", imageIds=[{"imageDigest": digest}])
        self.assertEqual(len(ecr.list_images(repositoryName="pipe")["imageIds"]), 1)
        ecr.delete_repository(repositoryName="pipe", force=True)
        ecr.create_repository(repositoryName="pipe")
        self.assertEqual(ecr.list_images(repositoryName="pipe")["imageIds"], [])
        ecr.delete_repository(repositoryName="pipe")

    def test_the_token_is_the_registrys_password_for_twelve_hours(self) -> None:
        (data,) = self.client("ecr").get_authorization_token()["authorizationData"]
        self.assertEqual(base64.b64decode(data["authorizationToken"]), b"AWS:secret")
        left = data["expiresAt"] - datetime.datetime.now(datetime.UTC)
        self.assertAlmostEqual(left.total_seconds(), 12 * 3600, delta=60)
