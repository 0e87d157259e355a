"""The connection below a call: closed or reset without an answer, and whether its client still waits."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any, NoReturn

CLOSED, RESET = "closed", "reset"


class Unanswered(Exception):
    """The call gets no answer: its connection is CLOSED or RESET."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


def cut(environ: dict[str, Any], how: str) -> NoReturn:
    """Raises what the HTTP server takes for a client that has left."""
    connection: socket.socket = environ["werkzeug.socket"]
    if how == RESET:
        # Closing with nothing to linger for sends RST instead of FIN; the server's own close would send FIN first.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())
    else:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError(how)


def is_gone(environ: dict[str, Any]) -> bool:
    """Whether the client has closed it."""
    try:
        return environ["werkzeug.socket"].recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
