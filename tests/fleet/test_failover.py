"""A cluster with replicas: one takes over from its master, and what a push was told of replicas holds there."""

import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest
from redis.crc import key_slot

from kiq_django import store as stores
from kiq_django.exceptions import NotReplicated, StoreError
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from tests.acceptance.process import effects, workers
from tests.clusters import Cluster
from tests.conftest import server_programs
from tests.support import wait_for

JOB = "tests.acceptance.app.jobs.touch"
WORKER = {"poll_interval": 0.2, "heartbeat": 0.4, "lease": 2}
NAMES = ("default", "mail", "low", "bulk", "fast", "slow", "more", "less")


@pytest.fixture
def replicated():
    """Three masters and their replicas, for one test: it does not come out of it whole."""
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    made = Cluster(server_programs()[0], directory, replicas=True)
    yield made
    made.end()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def queues(replicated):
    """One on each master, by the number of the master. The settings name the first."""
    found = {replicated.owner(key_slot(f"{{{name}}}".encode())): name for name in NAMES}
    assert len(found) == 3
    return found


@pytest.fixture
def where(replicated, queues):
    return {
        "REDIS": {"url": replicated.url, "cluster": True},
        "QUEUES": dict.fromkeys(queues.values(), 1),
        "LIMITS": {"replica_seconds": 0.3},
    }


@pytest.fixture
def store(settings, where):
    settings.KIQ = {**settings.KIQ, **where, "ADAPTER": "redis"}
    return stores.get()


def entry(queue: str, number: int) -> Entry:
    job = Payload.new(JOB, [number, 0.002], {}, queue=queue, retry=True, now=time.time())
    return Entry(queue, job.encode())


def test_a_push_waits_for_the_replicas_of_its_own_master(store, replicated, queues):
    frozen = replicated.processes[3]
    frozen.send_signal(signal.SIGSTOP)
    try:
        for number in (1, 2):
            store.deliveries.push([entry(queues[number], number)], 1)
        with pytest.raises(NotReplicated):
            store.deliveries.push([entry(queues[0], 0), entry(queues[0], 1)], 1)
    finally:
        frozen.send_signal(signal.SIGCONT)
    store.deliveries.push([entry(queues[0], 2)], 1)
    assert store.queues.sizes(queues.values()) == {queues[0]: 3, queues[1]: 1, queues[2]: 1}


class Pushes:
    """Pushes to all queues in turn; behind each job, on the same way to the replica, goes its number on a list.

    Every fifth waits for the replica.
    """

    def __init__(self, store, queues: list[str]) -> None:
        self.acknowledged: set[int] = set()
        self.on_replica: set[int] = set()
        self.number = 0
        self._store = store
        self._queues = queues
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(30)

    def kept(self) -> set[int]:
        """What the servers have kept of it."""
        return {
            int(number)
            for queue in self._queues
            for number in self._store.link.call("LRANGE", f"{{{queue}}}:canary", 0, -1)
        }

    def _run(self) -> None:
        while not self._over.wait(0.004):
            self.number += 1
            waits, queue = not self.number % 5, self._queues[self.number % 3]
            try:
                self._push(queue, self.number, waits=waits)
            except StoreError:  # it is there, or not
                self._over.wait(0.05)
                continue
            self.acknowledged.add(self.number)
            if waits:
                self.on_replica.add(self.number)

    def _push(self, queue: str, number: int, *, waits: bool) -> None:
        job = entry(queue, number)
        if waits:
            self._store.deliveries.push([job], 1)
        else:
            key = self._store._atlas.island(queue).keys.queue(queue)
            self._store.link.send([("LPUSH", key, job.raw), ("RPUSH", f"{{{queue}}}:canary", number)])


@pytest.mark.acceptance
@pytest.mark.timeout(120)
def test_a_master_dies_and_its_replica_takes_over(store, where, replicated, queues, server_url, tmp_path):
    """The one that dies is named in the settings, and has the registry of processes. The worker goes on by itself.

    Replicas are a moment behind: what a master acknowledged in its last moment may be lost. What was waited for is not.
    """
    own = {**where, "WORKER": WORKER}
    options = [option for queue in queues.values() for option in ("-q", queue)]
    with workers(server_url, tmp_path) as start:
        worker = start(*options, "-c", "3", kiq=own).ready()
        pushes = Pushes(store, list(queues.values()))
        wait_for(lambda: len(effects(tmp_path)) > 150, 30, "jobs to run")
        replicated.processes[0].kill()
        died_at, dead, before = time.monotonic(), queues[0], pushes.number
        wait_for(lambda: any(n > before for n in pushes.acknowledged if queue_of(n, pushes) == dead), 20, "its queue")
        taken_at = time.monotonic()
        new = {n for n in pushes.acknowledged if n > before}
        wait_for(lambda: new <= numbers(tmp_path), 15, "new jobs to run")
        print(f"taken over after {taken_at - died_at:.1f} s, jobs run {time.monotonic() - taken_at:.1f} s later")
        pushes.end()
        wait_for(lambda: sum(store.queues.sizes(queues.values()).values()) == 0, 20, "empty queues")
        wait_for(lambda: not held(store), 20, "all that ran to be settled")
        assert worker.process.poll() is None, worker.output
    ran, seen = numbers(tmp_path), effects(tmp_path)
    lost, twice = pushes.acknowledged - ran, seen.total() - len(seen)
    print(f"{len(pushes.acknowledged)} acknowledged, {len(lost)} lost, {twice} runs more")
    print(f"{len(pushes.on_replica)} known to be on the replica, {len(pushes.on_replica - ran)} lost")
    assert pushes.on_replica <= ran, "what a replica had was lost"
    assert lost & pushes.kept() == set(), "what Redis has kept was lost"
    assert "Traceback" not in worker.output


def queue_of(number: int, pushes: Pushes) -> str:
    return pushes._queues[number % 3]


def numbers(directory: Path) -> set[int]:
    return {int(line.rpartition(" ")[2]) for line in effects(directory)}


def held(store) -> list[bytes]:
    """What workers still have."""
    working = store.working
    return [raw for q in working.served() for owner in working.owners(q) for _, raw in working.held(owner, [q])]
