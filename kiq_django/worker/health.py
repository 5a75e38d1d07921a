"""Answers probes over HTTP: is this worker alive, does it take jobs, what has it done?"""

import json
import socket
import threading
from collections.abc import Callable

from kiq_django.exceptions import ConfigurationError
from kiq_django.worker.http import Answer, Server
from kiq_django.worker.status import Report, Status

BACKLOG = 32
FIGURES = (
    ("kiq_process_up", "gauge", "1 while every fetch loop of the process goes round", lambda s: int(not s.stalled)),
    ("kiq_process_ready", "gauge", "1 while the process takes jobs", lambda s: int(not s.idle)),
    ("kiq_process_busy", "gauge", "Jobs that run now", lambda s: s.busy),
    ("kiq_process_concurrency", "gauge", "Threads that run jobs", lambda s: s.concurrency),
    ("kiq_process_processed_total", "counter", "Runs that ended, since the process began", lambda s: s.processed),
    ("kiq_process_failed_total", "counter", "Runs that failed, since the process began", lambda s: s.failed),
    ("kiq_process_resident_memory_bytes", "gauge", "Memory of the process", lambda s: s.rss * 1024),
)
"""Name, type, meaning and value of each figure of `/metrics`."""


def listen(address: tuple[str, int]) -> socket.socket:
    """Take the address.

    Raises:
        ConfigurationError: it cannot be had.
    """
    try:
        return socket.create_server(address, backlog=BACKLOG, family=_family(address[0]))
    except OSError as error:
        raise ConfigurationError(f"--health: cannot listen on {address[0]}:{address[1]}: {error.strerror}") from error


def pages(report: Callable[[], Report]) -> Callable[[str], Answer]:
    """What to answer for a path. `/live`: every fetch loop goes round, whatever Redis does. `/ready`: and jobs are
    taken. 200 is yes, 503 is no, and the body says what is not as it should be. `/metrics` is for Prometheus.
    """

    def answer(path: str) -> Answer:
        if path == "/live":
            return _verdict(report().stalled)
        if path == "/ready":
            return _verdict(report().idle)
        if path == "/metrics":
            return Answer(200, "text/plain; version=0.0.4; charset=utf-8", metrics(report()).encode())
        body = {"ok": False, "trouble": {"path": "known: /live, /ready, /metrics"}}
        return Answer(404, "application/json", json.dumps(body).encode())

    return answer


def metrics(report: Report) -> str:
    """Figures of each process in Prometheus's text format."""
    lines: list[str] = []
    for name, kind, meaning, value in FIGURES:
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(report, status)} {value(status)}" for status in report.statuses]
    return "\n".join(lines) + "\n"


class Health:
    """The server in a thread of its own, so that busy job threads keep no probe waiting."""

    def __init__(self, address: tuple[str, int], report: Callable[[], Report]) -> None:
        """Take the address.

        Raises:
            ConfigurationError: it cannot be had.
        """
        self._server = Server(listen(address), pages(report))
        self._stopping = False

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._serve, name="kiq-health", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._stopping = True

    def _serve(self) -> None:
        while not self._stopping:
            self._server.serve(0.5)
        self._server.close()


def _verdict(trouble: object) -> Answer:
    body = json.dumps({"ok": not trouble, "trouble": trouble}, default=dict).encode()
    return Answer(503 if trouble else 200, "application/json", body)


def _labels(report: Report, status: Status) -> str:
    labels = {"tag": report.tag, "process": status.identity}
    return "{" + ",".join(f"{name}={json.dumps(text, ensure_ascii=False)}" for name, text in labels.items()) + "}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
