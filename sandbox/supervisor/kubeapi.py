"""The few Kubernetes API calls that the supervisor makes itself, as the cluster's own administrator."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path


class NotFound(Exception):
    pass


class KubeApi:
    def __init__(self, server: str, authority: Path, certificate: Path, key: Path):
        self.server = server
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(str(certificate), str(key))
        # Not through a proxy of the environment: the server is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._tls))

    def call(self, method: str, path: str, body: dict | None = None, content: str = "application/json", timeout: float = 10) -> dict:
        request = urllib.request.Request(
            self.server + path, method=method, data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": content}
        )
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            words = error.read().decode(errors="replace")
            if error.code == 404:
                raise NotFound(words) from None
            raise RuntimeError(f"{method} {path}: {error.code}: {words}") from None
        return json.loads(text) if text[:1] == b"{" else {"text": text.decode(errors="replace")}

    def watch(self, path: str):
        """Every event of a collection, what is there already first; ends when the API server ends it."""
        request = urllib.request.Request(f"{self.server}{path}?watch=true&timeoutSeconds=3600")
        with self._opener.open(request, timeout=3700) as answer:
            for line in answer:
                yield json.loads(line)

    def ready(self) -> bool:
        return self.call("GET", "/readyz", timeout=2).get("text") == "ok"

    def get(self, path: str) -> dict | None:
        try:
            return self.call("GET", path)
        except NotFound:
            return None

    def apply(self, path: str, manifest: dict) -> dict:
        """Server-side apply of one object; `path` is its collection."""
        name = manifest["metadata"]["name"]
        return self.call("PATCH", f"{path}/{name}?fieldManager=eks&force=true", manifest, "application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        try:
            self.call("DELETE", path)
        except NotFound:
            pass
