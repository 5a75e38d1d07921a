"""A line to Redis with a delay in each direction: `python -m bench.peers.link PORT MILLISECONDS` prints its own port.

A program of its own, so that its work is not done by who is measured. `select` sleeps to the microsecond, where an
event loop of asyncio would sleep to the millisecond.
"""

import contextlib
import select
import socket
import sys
import time
from collections import deque

CHUNK = 1 << 20


class Direction:
    """Bytes under way from one socket to another."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.under_way: deque[tuple[float, bytes]] = deque()

    def take(self, delay: float) -> bool:
        """Read what has come. False at the end of the stream."""
        try:
            data = self.source.recv(CHUNK)
        except OSError:
            return False
        self.under_way.append((time.perf_counter() + delay, data))
        return bool(data)

    def deliver(self, now: float) -> None:
        """Hand on what has been under way for long enough."""
        while self.under_way and self.under_way[0][0] <= now:
            data = self.under_way.popleft()[1]
            with contextlib.suppress(OSError):
                if data:
                    self.sink.sendall(data)
                else:
                    self.sink.shutdown(socket.SHUT_WR)


def serve(target: int, delay: float) -> None:
    """Hand connections on, for ever."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    directions: dict[socket.socket, Direction] = {}
    while True:
        ready, _, _ = select.select([listener, *directions], [], [], _rest(directions))
        for each in ready:
            if each is listener:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", target))
                for source, sink in ((near, far), (far, near)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    directions[source] = Direction(source, sink)
            elif not directions[each].take(delay):
                directions[each].deliver(float("inf"))
                del directions[each]
        now = time.perf_counter()
        for direction in directions.values():
            direction.deliver(now)


def _rest(directions: dict[socket.socket, Direction]) -> float | None:
    """Seconds until the next bytes have arrived; None when none are under way."""
    due = [direction.under_way[0][0] for direction in directions.values() if direction.under_way]
    return max(0.0, min(due) - time.perf_counter()) if due else None


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]) / 1000)
