"""The stand-ins answer as what they stand for does."""

import http.client
import json
import os
import socket
import unittest

from nodeless import gateway
from nodeless.registry import PORT, Registry

ADDRESS = f"127.78.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"  # of this process alone
UPGRADE = "GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
# RFC 6455, section 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def frame(text: str) -> bytes:
    data, mask = text.encode(), b"\1\2\3\4"
    return bytes([0x81, 0x80 | 126]) + len(data).to_bytes(2, "big") + mask + bytes(byte ^ mask[at & 3] for at, byte in enumerate(data))


def message(stream) -> dict:
    head = stream.read(2)
    length = int.from_bytes(stream.read({126: 2, 127: 8}[head[1]]), "big") if head[1] > 125 else head[1]
    return json.loads(stream.read(length))


class GatewayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.gateway = gateway.Gateway(ADDRESS, "m")

    def connect(self, more: str = ""):
        client = socket.create_connection((ADDRESS, gateway.SERVICE))
        self.addCleanup(client.close)
        client.sendall(f"{UPGRADE}Sec-WebSocket-Key: {KEY}\r\n{more}\r\n".encode())
        stream = client.makefile("rb")
        self.addCleanup(stream.close)
        head = b"".join(iter(stream.readline, b"\r\n")).decode()
        self.assertIn(f"Sec-WebSocket-Accept: {ACCEPT}\r\n", head)
        return client, stream, head

    def test_a_client_without_a_subprotocol_gets_the_numbers_of_the_pair(self) -> None:
        client, stream, head = self.connect()
        self.assertNotIn("Sec-WebSocket-Protocol", head)
        client.sendall(frame(json.dumps({"bucket": "b", "key": "x" * 200})))
        self.assertEqual(message(stream), {"status": "success", "outputs": {"m": {"scores": [[0.25, 0.75]]}}})

    def test_a_client_of_v1_is_greeted_as_the_vectors_say_and_gets_a_class(self) -> None:
        client, stream, head = self.connect(f"Sec-WebSocket-Protocol: {gateway.V1}\r\n")
        self.assertIn(f"Sec-WebSocket-Protocol: {gateway.V1}\r\n", head)
        hello = message(stream)
        self.assertEqual((hello["type"], hello["pipelines"][0]["models"][0]["alias"]), ("hello", "m"))
        client.sendall(frame(json.dumps({"type": "infer", "id": 7, "source": {"s3": {"key": "x" * 200}}})))
        result = message(stream)
        self.assertEqual((result["id"], result["results"][0]["top"][0]["label"]), (7, "Egyptian cat"))

    def test_a_pod_serves_what_was_published_when_it_started(self) -> None:
        self.gateway.pod_started("nowhere")
        client = http.client.HTTPConnection(ADDRESS, gateway.ADMIN)
        self.addCleanup(client.close)
        client.request("GET", "/v1/release")
        self.assertEqual(json.load(client.getresponse()), {"digest": None, "releasing": False})


class RegistryTest(unittest.TestCase):
    def ask(self, method: str, path: str) -> tuple[int, str | None]:
        client = http.client.HTTPConnection(ADDRESS, PORT)
        self.addCleanup(client.close)
        client.request(method, path)
        answer = client.getresponse()
        return answer.status, answer.headers["Docker-Content-Digest"]

    def test_an_image_is_there_from_its_push_to_its_deletion(self) -> None:
        host = Registry(ADDRESS).host
        self.assertEqual(self.ask("GET", "/v2/r/manifests/t")[0], 404)
        self.assertEqual(self.ask("POST", f"/v1.41/images/{host}/r/push?tag=t")[0], 200)
        status, digest = self.ask("GET", "/v2/r/manifests/t")
        self.assertEqual((status, self.ask("GET", "/v2/r/tags/list")[0]), (200, 200))
        self.assertEqual(self.ask("DELETE", f"/v2/r/manifests/{digest}")[0], 202)
        self.assertEqual([self.ask("GET", f"/v2/r/manifests/{name}")[0] for name in ("t", digest)], [404, 404])


if __name__ == "__main__":
    unittest.main()
