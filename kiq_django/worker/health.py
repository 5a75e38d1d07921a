"""Answers probes over HTTP: is this worker alive, and does it take jobs?"""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kiq_django import clock
from kiq_django.exceptions import ConfigurationError
from kiq_django.worker.manager import Manager

STALLED = 30.0
"""Seconds in which every fetch loop must have gone round; also without Redis it does so many times."""

Page = Callable[[], Mapping[str, object]]


class Health:
    """`/live`: every fetch loop goes round, whatever Redis does. `/ready`: and jobs are being taken.

    Served by threads of its own, so that busy job threads keep nobody waiting. 200 is yes, 503 is no; the body says
    which part is not as it should be.
    """

    def __init__(self, address: tuple[str, int], managers: list[Manager]) -> None:
        """Bind the address.

        Raises:
            ConfigurationError: it cannot be bound.
        """
        self._managers = managers
        pages: dict[str, Page] = {"/live": self.live, "/ready": self.ready}
        try:
            self._server = ThreadingHTTPServer(address, _handler(pages))
        except OSError as error:
            raise ConfigurationError(
                f"--health: cannot listen on {address[0]}:{address[1]}: {error.strerror}"
            ) from error
        self._server.daemon_threads = True

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, name="kiq-health", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def live(self) -> Mapping[str, object]:
        """Trouble by capsule; nothing is well."""
        now = clock.monotonic()
        silent = {m.capsule.name: now - m.fetcher.turned_at for m in self._managers}
        return {name: f"stalled for {age:.0f} s" for name, age in silent.items() if age > STALLED}

    def ready(self) -> Mapping[str, object]:
        """Trouble by capsule; nothing is well."""
        idle = {m.capsule.name: m.fetcher.why_not_taking for m in self._managers}
        return {**{name: why for name, why in idle.items() if why}, **self.live()}


def _handler(pages: Mapping[str, Page]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            trouble = page() if page else {"path": f"known: {', '.join(pages)}"}
            body = json.dumps({"ok": not trouble, "trouble": trouble}).encode()
            self.send_response(404 if page is None else 503 if trouble else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Probes come every few seconds; nobody wants to read of them."""

    return Handler
