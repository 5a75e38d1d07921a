"""As much of HTTP as a probe needs, without a thread: it lives in whatever loop calls `serve`.

A parent of forked processes must have no threads, and a probe that is slow, or never says what it wants, must keep
nobody waiting.
"""

import contextlib
import logging
import selectors
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from kiq_django import clock

logger = logging.getLogger("kiq_django.worker")
LONGEST_REQUEST = 8192
"""Bytes."""
PATIENCE = 5.0
"""Seconds until a silent connection is closed."""
MOST = 64
"""Connections at once."""


class Answer(NamedTuple):
    """One answer."""

    status: int
    content_type: str
    body: bytes


class Server:
    """Answers GET and HEAD on a listening socket; one request a connection."""

    def __init__(self, listening: socket.socket, answer: Callable[[str], Answer]) -> None:
        self.listening = listening
        self._answer = answer
        self._open: dict[socket.socket, tuple[bytes, float]] = {}
        """What each connection has said so far, and when it is closed."""
        listening.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)

    def fileno(self) -> int:
        """Readable when `serve` has something to do. Only where the system's selector is a file: epoll, kqueue."""
        return self._selector.fileno()

    def serve(self, seconds: float) -> None:
        """Do what there is to do; wait at most `seconds` for it."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self.listening:
                self._accept()
            elif isinstance(key.fileobj, socket.socket):
                self._read(key.fileobj)
        now = clock.monotonic()
        for connection in [each for each, (_, until) in self._open.items() if until < now]:
            self._drop(connection)

    def close(self) -> None:
        """Answer no more."""
        for connection in list(self._open):
            self._drop(connection)
        self._selector.close()
        self.listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self.listening.accept()
            if len(self._open) >= MOST:
                connection.close()
                return
            connection.setblocking(False)
            self._open[connection] = (b"", clock.monotonic() + PATIENCE)
            self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        said, until = self._open[connection]
        try:
            more = connection.recv(LONGEST_REQUEST)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        said += more
        if not more or len(said) > LONGEST_REQUEST:
            self._drop(connection)
        elif b"\r\n\r\n" in said or b"\n\n" in said:
            # Small enough for the socket's buffer, so this does not block.
            with contextlib.suppress(OSError):
                connection.sendall(self._reply(said))
            self._drop(connection)
        else:
            self._open[connection] = (said, until)

    def _reply(self, said: bytes) -> bytes:
        verb, _, rest = said.partition(b"\n")[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        status, content_type, body = self._answered(path) if verb in ("GET", "HEAD") else Answer(405, "text/plain", b"")
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (body if verb != "HEAD" else b"")

    def _answered(self, path: str) -> Answer:
        """Who serves must go on: it is the parent of all processes, or the thread of the probes."""
        try:
            return self._answer(path)
        except Exception:
            logger.exception("No answer to a probe of %s", path)
            return Answer(500, "text/plain", b"")

    def _drop(self, connection: socket.socket) -> None:
        del self._open[connection]
        self._selector.unregister(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        connection.close()
