"""Where a worker's report goes: the title of its process, a file for probes, systemd."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from kiq_django.exceptions import ConfigurationError
from kiq_django.worker.status import STOPPING, Report

PATIENCE = 30_000_000
"""Microseconds that systemd is asked to wait on for a worker that is not ready, such as one that waits for Redis."""


class Title:
    """`kiq 1.0 shop [3 of 10 busy]` in `ps`, where the package `setproctitle` is installed (`kiq-django[title]`)."""

    def __init__(self) -> None:
        self._set: Callable[[str], object] = str
        with contextlib.suppress(ImportError):
            from setproctitle import setproctitle

            self._set = setproctitle

    def __call__(self, report: Report) -> None:
        """Set the title."""
        self._set(report.title)


class HeartbeatFile:
    """Written anew while every fetch loop goes round: its age tells whether this worker lives."""

    def __init__(self, path: str) -> None:
        """Look whether it can be written.

        Raises:
            ConfigurationError: it cannot.
        """
        self._path = Path(path)
        if not os.access(self._path.parent, os.W_OK):
            raise ConfigurationError(f"--heartbeat-file: {self._path.parent} is no folder that we may write to")

    def __call__(self, report: Report) -> None:
        """Write it, or leave it to grow old, as on a full disk; it is gone with the worker."""
        with contextlib.suppress(OSError):
            self._write(report)

    def _write(self, report: Report) -> None:
        if report.state == STOPPING and not any(status.busy for status in report.statuses):
            self._path.unlink(missing_ok=True)
        elif not report.stalled:
            # By rename, so that nobody reads half of it.
            fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            fresh.write_text(json.dumps({"state": report.state, "not_ready": dict(report.idle)}), encoding="utf-8")
            fresh.replace(self._path)


class Systemd:
    """sd_notify: ready, still alive, what it does, stopping. Nothing where systemd does not ask for it."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte that an abstract address begins with.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._ready = False

    def __call__(self, report: Report) -> None:
        """Say how it is. Without a sign of life for `WatchdogSec` systemd kills and restarts the unit."""
        if not self._address:
            return
        lines = [f"STATUS={report.title}"]
        if report.state == STOPPING:
            lines.append("STOPPING=1")
        elif self._ready or not report.idle:
            self._ready = True
            lines.append("READY=1")
        else:
            lines.append(f"EXTEND_TIMEOUT_USEC={PATIENCE}")
        if not report.stalled:
            lines.append("WATCHDOG=1")
        self.send(*lines)

    def reloading(self) -> None:
        """New code is about to take over; `READY=1` follows."""
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def send(self, *lines: str) -> None:
        """One datagram. Whoever does not listen misses it."""
        if self._address:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.setblocking(False)
                try:
                    channel.sendto("\n".join(lines).encode(), self._address)
                except OSError:
                    return
