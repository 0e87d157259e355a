"""What answers for every gateway's pod: the public WebSocket, with the numbers of no model, and the admin and health ports.

Its words are those of the wire vectors (gateway/wire/vectors/v1/messages.json) and of docs/protocol.md.
"""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from aws import backends

from .server import serve
from .websocket import TEXT, WebSocket

SERVICE, ADMIN, HEALTH = 8080, 8081, 8082
VECTORS = Path(__file__).resolve().parents[2] / "gateway/wire/vectors/v1/messages.json"
V1 = "triton-ws.v1"
PUBLISHED = "release/manifest.json"


class Gateway:
    """One for all pods: a test has one deployment, which has one pod."""

    def __init__(self, address: str, alias: str):
        self._alias = alias
        self._served: str | None = None  # the manifest's digest
        hello = next(message for message in json.loads(VECTORS.read_text())["gateway"] if message["type"] == "hello")
        pipeline = {"name": "default", "models": [{"alias": alias, "model": alias, "quality": "exact"}]}
        self._hello = json.dumps(hello | {"models": [], "pipelines": [pipeline]})
        serve(address, SERVICE, self._websocket, {})
        release = {("GET", "/v1/release"): lambda _: {"digest": self._served, "releasing": False}, ("POST", "/v1/release"): self._release}
        serve(address, ADMIN, None, release)
        serve(address, HEALTH, None, {("GET", "/readyz"): lambda _: {"ready": True, "models": {}}})

    def pod_started(self, bucket: str) -> None:
        """Its init step mirrors what is published."""
        self._served = digest(bucket, PUBLISHED)
        self._bucket = bucket

    def _release(self, body: bytes) -> dict:
        self._served = digest(self._bucket, json.loads(body)["manifest"])
        return {"ok": True, "models": []}

    def _websocket(self, handler: BaseHTTPRequestHandler) -> None:
        v1 = V1 in handler.headers.get("Sec-WebSocket-Protocol", "")
        socket = WebSocket(handler, V1 if v1 else None)
        if v1:
            socket.send(self._hello.encode(), TEXT)
        while (message := socket.receive()) is not None:
            socket.send(json.dumps(self._v1(json.loads(message)) if v1 else self._v0()).encode(), TEXT)

    def _v0(self) -> dict:
        return {"status": "success", "outputs": {self._alias: {"scores": [[0.25, 0.75]]}}}

    def _v1(self, request: dict) -> dict:
        top = [{"index": 1, "score": 0.75, "label": "Egyptian cat"}]
        result = {"alias": self._alias, "model": self._alias, "version": "1", "top": top}
        timings = dict.fromkeys(("fetch", "decode", "prepare", "queue", "infer", "encode", "total"), 0)
        return {"type": "result", "id": request["id"], "results": [result], "timings": timings}


def digest(bucket: str, key: str) -> str | None:
    with backends.LOCK:
        found = backends.s3().buckets.get(bucket)
        found = found and found.keys.get(key)
        return hashlib.sha256(found.value).hexdigest() if found else None
