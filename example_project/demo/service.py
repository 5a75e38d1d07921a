"""The courier and the bank: a web service of their own, which fails at random, and always in the same way.

Whether it fails depends on the seed, the order and how often that was tried, not on who comes first. So the
number of retries that a demo must see is known beforehand.
"""

import argparse
import json
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

FAILING_SHARE = 0.4
SECONDS_TO_THINK = 0.03
SECONDS_TO_CALCULATE = 0.15


def fails(seed: int, key: str, attempt: int) -> bool:
    """Tell whether the booking of `key` fails at this attempt, counted from 0."""
    return random.Random(f"{seed}/{key}/{attempt}").random() < FAILING_SHARE


def failures_before_success(seed: int, key: str) -> int:
    """Tell how often a booking fails before it succeeds."""
    return next(attempt for attempt in count() if not fails(seed, key, attempt))


def tracking_number(seed: int, key: str) -> str:
    """Return the number that a parcel gets, however often it is booked."""
    return "RX" + sha256(f"{seed}/{key}".encode()).hexdigest()[:10].upper()


def rate(seed: int, currency: str) -> str:
    """Return what one euro is worth."""
    return f"{random.Random(f'{seed}/{currency}').uniform(0.5, 200):.4f}"


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, seed: int) -> None:
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.seed = seed
        self._attempts: Counter[str] = Counter()
        self._booked: set[str] = set()
        self._lock = threading.Lock()

    def book(self, key: str) -> int | None:
        """Book a parcel. Return None when it is booked, now or before; else the attempt that failed, from 0."""
        with self._lock:
            attempt = self._attempts[key]
            self._attempts[key] += 1
            if key not in self._booked and fails(self.seed, key, attempt):
                return attempt
            self._booked.add(key)
            return None


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        what, _, currency = self.path.strip("/").partition("/")
        if what != "rates" or not currency:
            return self._answer(404, {"error": "ask for /rates/<currency>"})
        time.sleep(SECONDS_TO_CALCULATE)
        return self._answer(200, {"currency": currency, "value": rate(self.server.seed, currency)})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        failed = self.server.book(body["key"])
        time.sleep(SECONDS_TO_THINK)
        if failed is None:
            return self._answer(201, {"tracking": tracking_number(self.server.seed, body["key"])})
        if failed % 2:
            return self._hang_up()
        return self._answer(503, {"error": "all vans are out"})

    def _answer(self, status: int, document: dict) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.log_message("hung up on %s", self.path)
        self.close_connection = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="a listening socket, inherited")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Service(socket.socket(fileno=options.fd), options.seed) as service:
        service.serve_forever()


if __name__ == "__main__":
    main()
