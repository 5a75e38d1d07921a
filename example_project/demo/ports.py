"""Listening sockets, opened here and handed to the process that serves them: no port is taken twice."""

import socket

LOOPBACK = "127.0.0.1"


def listen(preferred: int = 0) -> socket.socket:
    """Return a socket that listens on the preferred port, or on a free one when that is taken."""
    try:
        return _listen(preferred)
    except OSError:
        return _listen(0)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the URL at which the socket answers."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"
