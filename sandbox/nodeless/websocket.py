"""The server's side of RFC 6455, as much of it as the stand-ins need: whole messages, no extensions."""

from __future__ import annotations

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    def __init__(self, handler: BaseHTTPRequestHandler, subprotocol: str | None):
        """Takes a request over that asks for an upgrade."""
        accept = hashlib.sha1((handler.headers["Sec-WebSocket-Key"] + GUID).encode()).digest()
        head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {base64.b64encode(accept).decode()}\r\n"
        if subprotocol:
            head += f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
        handler.close_connection = True
        self._in, self._out, self._lock = handler.rfile, handler.wfile, threading.Lock()
        self._out.write(f"{head}\r\n".encode())

    def receive(self) -> bytes | None:
        """The next message; None: there is none any more."""
        message = b""
        while head := self._in.read(2):
            last, opcode, length = head[0] & 0x80, head[0] & 0x0F, head[1] & 0x7F
            if length >= 126:
                length = int.from_bytes(self._in.read(2 if length == 126 else 8), "big")
            mask = self._in.read(4) if head[1] & 0x80 else b"\0\0\0\0"
            data = bytes(byte ^ mask[at & 3] for at, byte in enumerate(self._in.read(length)))
            if opcode == CLOSE:
                self.close(data[:2])
                return None
            if opcode == PING:
                self.send(data, PONG)
            elif opcode != PONG:
                message += data
                if last:
                    return message
        return None

    def send(self, data: bytes, opcode: int = BINARY) -> None:
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
        with self._lock:
            self._out.write(bytes([0x80 | opcode]) + length + data)

    def close(self, code: bytes = b"\x03\xe8") -> None:
        try:
            self.send(code, CLOSE)
        except OSError:
            pass  # who has gone needs no goodbye
