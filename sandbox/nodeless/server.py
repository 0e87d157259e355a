"""HTTP servers that live as long as their process."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """A client that is killed goes without a word, which is what it is killed for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def listen(address: str, port: int, handler: type[BaseHTTPRequestHandler], tls=None) -> None:
    server = Server((address, port), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, name=f"port {port}", daemon=True).start()


def serve(address: str, port: int, websocket, answers: dict, tls=None) -> None:
    """JSON by method and path, and WebSockets."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if websocket and "websocket" in self.headers.get("Upgrade", "").lower():
                return websocket(self)
            answer = answers.get((self.command, self.path.split("?")[0]))
            text = json.dumps(answer(body) if answer else {"error": f"no {self.command} {self.path}"}).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    listen(address, port, Handler, tls)
