"""How redis-py reaches the embedded server."""

import socket
from typing import Any

import redis
from redis.connection import UnixDomainSocketConnection

from kiq_django.exceptions import KiqError
from kiq_django.store import embedded


class EmbeddedConnection(UnixDomainSocketConnection):
    """A connection to the embedded server that brings the server back when it is gone."""

    def __init__(self, directory: str, **options: Any) -> None:
        super().__init__(path=embedded.socket_path(directory), **options)  # type: ignore[no-untyped-call]
        self.directory = directory

    def _connect(self) -> socket.socket:
        try:
            return self._connect_once()
        except OSError:
            self.path = self._revive()
        return self._connect_once()

    def _connect_once(self) -> socket.socket:
        connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        return connected

    def _revive(self) -> str:
        try:
            return embedded.start(self.directory)
        except KiqError as error:
            raise redis.ConnectionError(str(error)) from error
