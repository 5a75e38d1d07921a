"""What the outside sees of a parent: its title, a file, systemd, and one address for probes that answers for all."""

import socket
from collections.abc import Callable

from kiq_django import clock
from kiq_django.worker import health
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.http import Server
from kiq_django.worker.outlets import HeartbeatFile, Systemd, Title
from kiq_django.worker.reporter import EVERY, Outlet
from kiq_django.worker.status import Report


class Face:
    """Has no thread: it speaks when its parent lets it."""

    def __init__(self, config: WorkerConfig, inherited: socket.socket | None, report: Callable[[], Report]) -> None:
        """Take the address for probes.

        Args:
            inherited: the one that a former life has listened on.
            report: how all are right now.

        Raises:
            ConfigurationError: the address cannot be had, or the file not be written.
        """
        self.systemd = Systemd()
        self._report = report
        self._outlets: list[Outlet] = [Title(), self.systemd]
        if config.heartbeat_file:
            self._outlets.append(HeartbeatFile(config.heartbeat_file))
        self.listening = inherited or (health.listen(config.health) if config.health else None)
        self._server = Server(self.listening, health.pages(report)) if self.listening else None
        self._told_at = 0.0

    @property
    def waited_for(self) -> list[Server]:
        """Readable when somebody asks."""
        return [self._server] if self._server else []

    def answer(self) -> None:
        """Whoever asks."""
        if self._server:
            self._server.serve(0)

    def tell(self, *, at_once: bool = False) -> None:
        """Everybody who wants to know, once a second."""
        if clock.monotonic() - self._told_at < EVERY and not at_once:
            return
        self._told_at = clock.monotonic()
        report = self._report()
        for outlet in self._outlets:
            outlet(report)

    def forget(self) -> None:
        """In a child, which has no face."""
        if self._server:
            self._server.close()
