"""The Docker registry behind ECR, by its HTTP API (distribution's "HTTP API V2")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import requests

from ..clock import now
from ..errors import AwsError
from ..world import World

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TIMEOUT = 20


@dataclass
class Image:
    digest: str
    media_type: str
    manifest: dict[str, Any]
    text: str
    tags: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """As ECR counts: compressed layers and configuration; of an index, its own text."""
        if "layers" not in self.manifest:
            return len(self.text)
        return sum(part["size"] for part in [self.manifest["config"], *self.manifest["layers"]])

    @property
    def artifact_type(self) -> str | None:
        return self.manifest.get("config", {}).get("mediaType")


# The registry does not say when something was pushed, nor which digests have no tag: both are remembered from the first
# look, by repository and digest.
_seen: dict[tuple[str, str], Any] = {}


class Registry:
    def __init__(self, world: World) -> None:
        self._base = world.registry_internal
        self._http = requests.Session()
        self._http.auth = ("AWS", world.registry_password)

    def images(self, repository: str) -> list[Image]:
        found: dict[str, Image] = {}
        for tag in self._tags(repository):
            if image := self.image(repository, tag):
                found.setdefault(image.digest, image).tags.append(tag)
        for name, digest in list(_seen):
            if name == repository and digest not in found:
                if image := self.image(repository, digest):
                    found[digest] = image
                else:
                    _seen.pop((name, digest), None)
        return sorted(found.values(), key=lambda image: (pushed_at(repository, image.digest), image.digest))

    def image(self, repository: str, reference: str) -> Image | None:
        response = self._ask("GET", f"{repository}/manifests/{reference}")
        if response is None or response.status_code == 404:
            return None
        response.raise_for_status()
        digest = response.headers.get("Docker-Content-Digest") or f"sha256:{hashlib.sha256(response.content).hexdigest()}"
        _seen.setdefault((repository, digest), now())
        return Image(digest, response.headers["Content-Type"], response.json(), response.text)

    def delete(self, repository: str, digest: str) -> None:
        """With it go the tags that name it."""
        response = self._ask("DELETE", f"{repository}/manifests/{digest}")
        if response is not None and response.status_code not in (202, 404):
            raise AwsError("ServerException", f"The registry refused to delete {digest}: {response.text}", 500)
        _seen.pop((repository, digest), None)

    def _tags(self, repository: str) -> list[str]:
        response = self._ask("GET", f"{repository}/tags/list")
        if response is None or response.status_code == 404:
            return []
        response.raise_for_status()
        return response.json().get("tags") or []

    def _ask(self, method: str, path: str) -> requests.Response | None:
        if not self._base:  # a world without a registry: nothing was ever pushed
            return None
        headers = {"Accept": ", ".join(MANIFESTS)}
        try:
            return self._http.request(method, f"{self._base}/v2/{path}", headers=headers, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise AwsError("ServerException", f"The registry does not answer: {error}", 500) from None


def pushed_at(repository: str, digest: str) -> Any:
    return _seen.get((repository, digest)) or now()
