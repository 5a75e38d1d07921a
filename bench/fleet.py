"""What one server bears: `python -m bench.fleet --processes 1000 --rate 2000 --seconds 20`.

First the cost of a job: the server's own processor time for each step of its life, and the memory of one that waits.
Then a fleet without its jobs: so many worker processes that say to the server what real ones say (leases, beats,
blocked fetches, settling, a look at the sets and at the leases of all others), from a few threads of this program.
Jobs run for no time at all; pushed are so many a second.
"""

import argparse
import heapq
import itertools
import json
import selectors
import threading
import time
from collections.abc import Callable, Sequence

import django
from django.conf import settings

BEAT, POLL, LEASE = 5.0, 5.0, 30.0
BODY = "x" * 300
"""Makes a payload of some 500 bytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--processes", type=int, default=1_000)
    parser.add_argument("--queues", type=int, default=3)
    parser.add_argument("--rate", type=int, default=2_000, help="jobs a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--drivers", type=int, default=4, help="threads that play the processes")
    parser.add_argument("--layout", choices=["sidekiq", "cluster"], default="sidekiq")
    options = parser.parse_args()
    _settings()
    from kiq_django.testing.server import launched
    from tests.conftest import server_programs

    with launched(server_programs()[0]) as url:
        settings.KIQ = {"REDIS": {"url": url, "layout": options.layout}, "FEATURES": []}
        from kiq_django import conf

        conf.reset()
        _costs(options.jobs)
        Play(options).run()


def _settings() -> None:
    settings.configure(INSTALLED_APPS=["kiq_django"], DATABASES={}, KIQ={})
    django.setup()


def _payloads(count: int, queue: str = "default") -> list[bytes]:
    from kiq_django.payload import Payload

    now = time.time()
    made = (Payload.new("note", [n, BODY], {}, queue=queue, retry=True, now=now, enqueued_at=now) for n in range(count))
    return [payload.encode() for payload in made]


def _busy(store) -> float:
    """Seconds of processor time that the server has used."""
    told = store.link.call("INFO", "cpu")
    return float(told["used_cpu_sys"]) + float(told["used_cpu_user"])


def _memory(store) -> int:
    return int(store.link.call("INFO", "memory")["used_memory"])


def _costs(jobs: int) -> None:
    from kiq_django import store as stores
    from kiq_django.store.queues import Entry
    from kiq_django.store.sets import Transfer
    from kiq_django.store.working import Batch

    store = stores.get()
    raws = _payloads(jobs)
    before = _memory(store)
    print(f"A job of {len(raws[0])} bytes; microseconds of the server's processor, and of its time:")
    _timed(store, "push, one a round trip", jobs // 10, lambda: [
        store.queues.push([Entry("default", raw)]) for raw in raws[: jobs // 10]])  # fmt: skip
    _timed(store, "push, 1,000 a round trip", jobs - jobs // 10, lambda: [
        store.queues.push([Entry("default", raw) for raw in part]) for part in _parts(raws[jobs // 10 :])])  # fmt: skip
    print(f"  memory of a waiting job: {(_memory(store) - before) / jobs:.0f} bytes")
    store.working.register("o", ["default"], 600)
    for size, count in ((1, jobs // 10), (50, jobs - jobs // 10)):
        _timed(store, f"fetch and settle, {size} a round trip", count, lambda size=size, count=count: _drain(
            store, Batch, size, count))  # fmt: skip
    before = _memory(store)
    store.queues.push([Entry("default", raw, time.time() + 9_999) for raw in raws[:1_000]])
    print(f"  memory of a scheduled or failed job: {(_memory(store) - before) / 1_000:.0f} bytes")
    store.sets.transfer("schedule", "dead", [Transfer(raw, raw) for raw in raws[:1_000]])
    store.sets.clear("dead")


def _timed(store, what: str, jobs: int, act: Callable[[], object]) -> None:
    busy, began = _busy(store), time.perf_counter()
    act()
    took = time.perf_counter() - began
    print(f"  {what:34} {(_busy(store) - busy) / jobs * 1e6:6.1f} us  {took / jobs * 1e6:6.1f} us a job")


def _drain(store, batch, size: int, count: int) -> None:
    held: list[bytes] = []
    while count > 0 or held:
        batches = [batch("o", "default", acks=held)] if held else []
        turn = store.working.turn(batches, "o", ["default"], min(size, max(0, count)))
        held = [raw for _, raw in turn.taken]
        count -= size


class Play:
    """A fleet on one server, for some seconds."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.queues = [f"q{number}" for number in range(options.queues)]
        self.waits: list[float] = []
        self.settled = 0
        self.late = 0.0
        """Seconds that the worst event came after its time: this program's own limit."""
        self.over = threading.Event()
        self.ready = threading.Semaphore(0)

    def run(self) -> None:
        from kiq_django import store as stores

        per = self.options.processes // self.options.drivers
        drivers = [threading.Thread(target=Driver(self, n, per).run) for n in range(self.options.drivers)]
        for driver in drivers:
            driver.start()
        for _ in drivers:
            self.ready.acquire()
        store = stores.get()
        feeder = threading.Thread(target=self._feed)
        busy, began = _busy(store), time.perf_counter()
        feeder.start()
        self.over.wait(self.options.seconds)
        took, used = time.perf_counter() - began, _busy(store) - busy
        commands = store.link.call("INFO", "stats")["instantaneous_ops_per_sec"]
        clients = store.link.call("INFO", "clients")["connected_clients"]
        self.over.set()
        for thread in (*drivers, feeder):
            thread.join()
        self._tell(took, used, commands, clients)

    def _feed(self) -> None:
        from kiq_django import store as stores
        from kiq_django.store.queues import Entry

        store, began, pushed = stores.get(), time.perf_counter(), 0
        while self.options.rate and not self.over.wait(0.005):
            due = int((time.perf_counter() - began) * self.options.rate) - pushed
            for number in range(pushed, pushed + due):
                raw = json.dumps({"class": "note", "jid": f"{number:024x}", "at_push": time.perf_counter(), "b": BODY})
                store.queues.push([Entry(self.queues[number % len(self.queues)], raw.encode())])
            pushed += due

    def _tell(self, took: float, used: float, commands: int, clients: int) -> None:
        waits = sorted(self.waits) or [0.0]
        print(
            f"{self.options.processes} processes, {len(self.queues)} queues, {self.settled / took:.0f} jobs a second:"
        )
        print(
            f"  the server's processor: {used / took:.1%} of a core; {commands} commands a second, "
            f"{clients} connections"
        )
        middle, end = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        print(f"  from push to fetch: p50 {middle * 1e3:.1f} ms, p99 {end * 1e3:.1f} ms; the program was up to "
              f"{self.late * 1e3:.0f} ms late itself")  # fmt: skip


class Driver:
    """Plays some processes in one thread: each with waiters of its own, beats and duties when they are due."""

    def __init__(self, play: Play, number: int, count: int) -> None:
        self.play = play
        self.owners = [f"host:{number}:{each:012x}" for each in range(count)]
        self.selector = selectors.DefaultSelector()
        self.due: list[tuple[float, int, int, Callable[[int], None]]] = []
        self.order = itertools.count()

    def run(self) -> None:
        from kiq_django import store as stores

        self.store = stores.get("fetch")
        self.waiters = [self.store.waiters() for _ in self.owners]
        now = time.perf_counter()
        for number, owner in enumerate(self.owners):
            self.store.working.register(owner, self.play.queues, LEASE)
            self.arm(number)
            for act in (self.beat, self.reap):
                self.plan(now + BEAT * (number + 1) / len(self.owners), number, act)
            self.plan(now + POLL * self.play.options.processes * (number + 1) / len(self.owners), number, self.poll)
        self.play.ready.release()
        while not self.play.over.is_set():
            self.step()
        for waiter in self.waiters:
            waiter.close()

    def plan(self, when: float, number: int, act: Callable[[int], None]) -> None:
        heapq.heappush(self.due, (when, next(self.order), number, act))

    def step(self) -> None:
        now = time.perf_counter()
        while self.due and self.due[0][0] <= now:
            when, _, number, act = heapq.heappop(self.due)
            self.play.late = max(self.play.late, now - when)
            act(number)
            self.plan(when + (POLL * self.play.options.processes if act == self.poll else BEAT), number, act)
        for key, _ in self.selector.select(0.002):
            self.receive(*key.data)

    def arm(self, number: int) -> None:
        self.waiters[number].arm(self.owners[number], self.play.queues, Tagged(self.selector, number))

    def receive(self, number: int, queue: str) -> None:
        from kiq_django.store.working import Batch

        arrival = self.waiters[number].receive(queue, Tagged(self.selector, number))
        if arrival is not None:
            raw = arrival.payload
            self.play.waits.append(time.perf_counter() - json.loads(raw)["at_push"])
            batch = Batch(self.owners[number], queue, acks=[raw])
            self.play.settled += len(self.store.working.turn([batch], self.owners[number], [], 0).settled)
        self.arm(number)

    def beat(self, number: int) -> None:
        owner = self.owners[number]
        self.store.working.renew(owner, self.play.queues, LEASE)
        self.store.processes.ping()
        self.store.processes.beat(owner, {"info": BODY, "busy": "0", "beat": "1.5", "quiet": "false"}, {})
        self.store.counters.add_totals(1, 0, time.time())

    def reap(self, number: int) -> None:
        self.store.working.expired(self.store.working.served())
        self.store.processes.prune()

    def poll(self, number: int) -> None:
        self.store.processes.count()
        for name in ("retry", "schedule"):
            self.store.sets.due(name, 100)


class Tagged:
    """A selector whose data tell the process too."""

    def __init__(self, selector: selectors.BaseSelector, number: int) -> None:
        self._selector = selector
        self._number = number

    def register(self, sock, events: int, queue: str) -> None:
        self._selector.register(sock, events, (self._number, queue))

    def unregister(self, sock) -> None:
        self._selector.unregister(sock)


def _parts(raws: Sequence[bytes], size: int = 1_000) -> list[Sequence[bytes]]:
    return [raws[start : start + size] for start in range(0, len(raws), size)]


if __name__ == "__main__":
    main()
