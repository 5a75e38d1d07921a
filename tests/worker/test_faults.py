"""Connections that break, servers that die, replies that are lost, while jobs run: each job runs once, none is lost."""

import threading
import time
from collections import Counter

import pytest

from kiq_django import store as stores
from kiq_django.store import connections, scripts
from kiq_django.store.server import ServerInfo
from tests import faults
from tests.support import wait_for
from tests.worker.conftest import encoded

SECONDS_TO_COME_BACK = 5


@pytest.fixture
def runs(declare):
    """How often each job ran. `work` takes a millisecond, `fail` goes to the retry set, `die` to the dead set."""
    counted = Counter()
    length = threading.Event()

    def work(number):
        counted[number] += 1
        length.wait(0.001)

    def fail(number):
        counted[number] += 1
        raise ValueError(number)

    declare(work)
    declare(fail)
    return counted


def pushed(store, count, name="work", first=0, **fields):
    """Push so many jobs at once."""
    raws = [encoded(name, number, **fields) for number in range(first, first + count)]
    store.link.send([("LPUSH", store.keys.queue("default"), *raws)])


@pytest.fixture
def worker(start):
    """Start a worker; `settled` waits until all is quiet, and `sound` says that no job was lost or doubled."""
    return lambda **options: Witness(start(**{"concurrency": 4, **options}))


class Witness:
    """A worker and what its engine counts."""

    def __init__(self, launcher):
        self.launcher = launcher
        self.fetcher = launcher.managers[0].fetcher
        self.settler = self.fetcher.settler

    def has_settled(self, count, timeout=20):
        wait_for(lambda: self.settler.processed >= count, timeout, f"the end of {count} jobs")

    def is_sound(self, store, runs, count, **left):
        """Every job ran once, counts once, and lies nowhere but in the sets where it must."""
        assert dict(runs) == dict.fromkeys(range(count), 1)
        wait_for(lambda: not ghosts(store), what="no ghosts on the working lists")
        assert (self.settler.processed, self.settler.stolen) == (count, 0)
        assert self.launcher.stop(5)
        places = {name: store.sets.count(name) for name in ("schedule", "retry", "dead")}
        places["default"] = store.queues.sizes(["default"])["default"]
        assert places == {"schedule": 0, "retry": 0, "dead": 0, "default": 0, **left}
        assert store.counters.totals()[0] >= count  # an answer that is lost counts twice


def ghosts(store):
    """What is on any working list."""
    owners = store.working.owners("default")
    return [raw for owner in owners for raw in store.working.held(owner, ["default"])]


@pytest.fixture
def every():
    """Do something again and again in a thread, until the test ends or it is told to stop."""
    stop, threads = threading.Event(), []

    def again(seconds, action):
        def run():
            while not stop.wait(seconds):
                action()

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return stop

    yield again
    stop.set()
    for thread in threads:
        thread.join(5)


# --- connections ---


def test_connections_that_are_killed_under_load(store, runs, worker, every):
    pushed(store, 2000)
    witness = worker()
    killer = store.link.client
    stop = every(0.02, lambda: killer.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
    wait_for(lambda: len(runs) == 2000, 30)
    stop.set()
    witness.has_settled(2000)
    witness.is_sound(store, runs, 2000)


def test_a_proxy_that_resets_everything(store, proxy, runs, worker):
    pushed(store, 1000)
    witness = worker()
    for number in range(8):
        wait_for(lambda number=number: len(runs) > 100 * number)
        proxy.reset()
    witness.has_settled(1000)
    witness.is_sound(store, runs, 1000)


# --- replies ---


def sha(name, store):
    return scripts.load(name, store.link.info().supports_shebang).sha.encode()


@pytest.mark.parametrize("name", ["reserve", "settle"])
def test_replies_of_the_engine_are_lost(store, proxy, runs, worker, name):
    witness = worker()
    pushed(store, 600)
    for _ in range(8):
        before, seen = proxy.dropped, len(runs)
        proxy.drop_replies(1, to=sha(name, store))
        wait_for(lambda before=before: proxy.dropped > before or len(runs) == 600)
        wait_for(lambda seen=seen: len(runs) > seen or len(runs) == 600)
    assert proxy.dropped >= 3
    witness.has_settled(600)
    witness.is_sound(store, runs, 600)


def test_replies_of_failures_are_lost(store, proxy, runs, worker):
    """A retry and a burial are written once, though their answer never came."""
    witness = worker()
    for number in range(12):
        proxy.drop_replies(1, to=sha("settle", store))
        pushed(store, 1, "fail", first=number, retry=0 if number % 2 else 5)
        witness.has_settled(number + 1)
    assert proxy.dropped == 12
    witness.is_sound(store, runs, 12, retry=6, dead=6)


def test_replies_of_waiters_are_lost(store, proxy, runs, worker):
    witness = worker()
    for number in range(10):
        proxy.drop_replies(1, to=b"BLMOVE")
        pushed(store, 1, first=number)  # doomed or not, whoever waits now takes it
        witness.has_settled(number + 1)
    assert proxy.dropped >= 5
    witness.is_sound(store, runs, 10)


def test_replies_of_a_heartbeat_are_lost(store, proxy, runs, worker):
    witness = worker(heartbeat=0.05)
    for name in ("lease", "beat"):
        for _ in range(3):
            before = proxy.dropped
            proxy.drop_replies(1, to=sha(name, store))
            wait_for(lambda before=before: proxy.dropped > before)
    pushed(store, 20)
    witness.has_settled(20)
    witness.is_sound(store, runs, 20)


# --- servers ---


def test_redis_dies_and_comes_back(own_server, reader, runs, start):
    store = stores.get()
    pushed(store, 1500)
    witness = Witness(start(concurrency=4))
    for number in range(1, 4):
        wait_for(lambda number=number: len(runs) > 300 * number)
        own_server.kill()
        own_server.start()
        ready, seen = time.monotonic(), len(runs)
        wait_for(lambda seen=seen: len(runs) > seen + 10, SECONDS_TO_COME_BACK)
        assert time.monotonic() - ready < SECONDS_TO_COME_BACK
    witness.has_settled(1500)
    witness.is_sound(reader(own_server.url), runs, 1500)


@pytest.fixture
def own_server(own_server, store, settings):
    """`store` belongs to the shared server and is asked for by `start`: the worker shall have the other."""
    settings.KIQ = {**settings.KIQ, "REDIS": own_server.url}
    return own_server


def test_jobs_that_run_when_redis_dies_end_and_are_settled_later(own_server, reader, start, declare, gate):
    ended = []

    def stay(number):
        gate.wait()
        ended.append(number)

    declare(stay)
    store = stores.get()
    pushed(store, 2, "stay")
    witness = Witness(start(concurrency=2))
    wait_for(lambda: len(ghosts(store)) == 2)
    own_server.kill()
    gate.set()
    wait_for(lambda: sorted(ended) == [0, 1])
    own_server.start()
    witness.has_settled(2)
    witness.is_sound(reader(own_server.url), Counter(ended), 2)


def test_a_silent_server(store, proxy, runs, worker, monkeypatch):
    """Longer than every time limit: what was asked in vain may still be done when all flows again."""
    for purpose in connections.TIMEOUTS:
        monkeypatch.setitem(connections.TIMEOUTS, purpose, 0.3)
    connections.forget()
    stores.get.cache_clear()
    pushed(store, 600)
    witness = worker()
    wait_for(lambda: len(runs) > 100)
    proxy.blackhole()
    wait_for(lambda: len(runs) < 600 and silent_for(runs, 1.0))
    proxy.heal()
    healed = time.monotonic()
    wait_for(lambda: len(runs) == 600, SECONDS_TO_COME_BACK)
    assert time.monotonic() - healed < SECONDS_TO_COME_BACK
    witness.has_settled(600)
    witness.is_sound(store, runs, 600)


def silent_for(runs, seconds):
    """Whether no job has begun for so long."""
    seen, end = len(runs), time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < end:
        pause.wait(0.01)
        if len(runs) != seen:
            return False
    return True


def test_a_slow_line(store, proxy, runs, worker):
    proxy.delay(0.02)
    pushed(store, 30)
    witness = worker()
    witness.has_settled(30)
    proxy.heal()
    witness.is_sound(store, runs, 30)


def test_scripts_are_forgotten_again_and_again(store, runs, worker, every):
    pushed(store, 2000)
    witness = worker()
    stop = every(0.002, lambda: store.link.call("SCRIPT", "FLUSH"))
    witness.has_settled(2000)
    stop.set()
    witness.is_sound(store, runs, 2000)


def test_a_full_redis_is_drained(store, runs, worker):
    pushed(store, 500)
    pushed(store, 10, "fail", first=500, retry=5)
    with faults.full(store.link.client, drains=True):
        witness = worker()
        witness.has_settled(510)
        assert store.sets.count("retry") == 10
    witness.is_sound(store, runs, 510, retry=10)


def test_a_full_redis_that_knows_no_flags_waits_and_loses_nothing(store, runs, worker, monkeypatch, caplog):
    """As Redis 6.2: nothing leaves, until somebody gives it memory."""
    monkeypatch.setattr(ServerInfo, "supports_shebang", False)
    pushed(store, 50)
    with faults.full(store.link.client):
        witness = worker()
        wait_for(lambda: "is full" in caplog.text)
    witness.has_settled(50)
    witness.is_sound(store, runs, 50)


# --- leases ---


def test_a_worker_that_was_taken_for_dead_goes_on_under_a_new_name(store, runs, worker, declare, gate):
    """What it was running is stolen: it ends there, and is counted nowhere."""
    declare(lambda number: gate.wait(), name="stay")
    witness = worker(heartbeat=0.05, concurrency=1)
    pushed(store, 1, "stay")
    wait_for(lambda: ghosts(store))
    wait_for(lambda: not store.link.client.info("clients")["blocked_clients"])
    [old] = store.working.owners("default")
    store.queues.pause("default", {})
    assert witness.launcher.reaper.reap("default", old, force=True) == 1
    wait_for(lambda: len(store.working.owners("default")) == 2)
    gate.set()
    wait_for(lambda: witness.settler.stolen == 1)
    assert witness.settler.processed == 0
    store.queues.resume("default")
    witness.has_settled(1)
    pushed(store, 5)
    witness.has_settled(6)
    assert dict(runs) == dict.fromkeys(range(5), 1)
