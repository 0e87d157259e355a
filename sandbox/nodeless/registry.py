"""The registry behind ECR, and the Docker engine that pushes to it: an image is a name, and is there once it is pushed."""

from __future__ import annotations

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from .server import listen

PORT = 5000
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    def __init__(self, address: str):
        self.host = f"{address}:{PORT}"
        images: dict[tuple[str, str], bytes] = {}  # (repository, tag) -> manifest

        def found(repository: str, reference: str) -> bytes | None:
            known = [text for (name, tag), text in list(images.items()) if name == repository and reference in (tag, digest(text))]
            return known[0] if known else None

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                path, asked = unquote(url.path), parse_qs(url.query)
                body(self)
                if match := re.fullmatch(r"/v2/(.+)/tags/list", path):
                    tags = sorted(tag for name, tag in list(images) if name == match[1])
                    return self.answer(200 if tags else 404, json.dumps({"name": match[1], "tags": tags}).encode())
                if match := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
                    text = found(match[1], match[2])
                    if text is None:
                        return self.answer(404, b"{}")
                    if self.command == "DELETE":
                        for key in [key for key, other in list(images.items()) if key[0] == match[1] and other == text]:
                            del images[key]
                        return self.answer(202, b"")
                    return self.answer(200, text, MANIFEST, {"Docker-Content-Digest": digest(text)})
                if path.endswith("/version"):
                    return self.answer(200, b'{"ApiVersion":"1.41","MinAPIVersion":"1.24"}')
                if match := re.fullmatch(r"(?:/v[0-9.]+)?/images/[^/]+/(.+)/push", path):
                    tag = asked["tag"][0]
                    part = {"mediaType": "x", "size": 1, "digest": digest(tag.encode())}
                    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": [part]}
                    images[match[1], tag] = json.dumps(manifest).encode()
                    return self.answer(200, b'{"status":"pushed"}\r\n')
                if path.endswith("/build"):
                    return self.answer(200, b'{"stream":"Successfully built"}\r\n')
                return self.answer(200, b"[]" if self.command == "DELETE" else b"OK")

            do_POST = do_DELETE = do_HEAD = do_GET

            def answer(self, status: int, text: bytes, kind: str = "application/json", more: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(text)), **(more or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else text)

            def log_message(self, *_: object) -> None:
                pass

        listen(address, PORT, Handler)


def body(handler: BaseHTTPRequestHandler) -> None:
    """Read, and not kept: what is built is no matter."""
    handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    if handler.headers.get("Transfer-Encoding") == "chunked":
        while length := int(handler.rfile.readline().split(b";")[0], 16):
            handler.rfile.read(length + 2)
        handler.rfile.readline()


def digest(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
