"""The master dies, and its replica takes over: nothing is lost that Redis has kept, and work goes on in seconds."""

import os
import threading
import time

import pytest

from kiq_django import clock, conf
from kiq_django.exceptions import StoreError
from kiq_django.payload import Payload
from kiq_django.store import Store, connections
from tests.acceptance.process import effects
from tests.chaos.look import left
from tests.sentinels import Trio
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

FAILOVERS = int(os.environ.get("KIQ_CHAOS_FAILOVERS", "1"))
RETURN = 5.0
"""Seconds within which jobs run again, once there is a master."""
SLACK = 15
"""Seconds that a busy machine may add."""
QUEUE = "default"
CANARY = "canary"
AT_ONCE = 3


class Pushes:
    """Pushes jobs and, behind each on the same way to the replica, its number on a list: the canary.

    Every fifth time it asks whether a replica has them too (`WAIT`).
    """

    def __init__(self, store):
        self.acknowledged, self.on_replica = set(), set()
        self._store = store
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self):
        self._over.set()
        self._thread.join(30)

    def _run(self):
        first = 0
        while not self._over.wait(0.002):
            first += AT_ONCE
            numbers = range(first, first + AT_ONCE)
            waits = not first % (5 * AT_ONCE)
            try:
                replies = self._store.link.send([*self._commands(numbers), *[("WAIT", 1, 500)] * waits])
            except StoreError:
                self._over.wait(0.05)
                continue
            self.acknowledged.update(numbers)
            if waits and replies[-1]:
                self.on_replica.update(numbers)

    def _commands(self, numbers):
        for number in numbers:
            job = Payload.new("tests.chaos.app.jobs.work", [number, 0.0], {}, queue=QUEUE, retry=True, now=clock.now())
            yield "LPUSH", self._store.keys.queue(QUEUE), job.encode()
            yield "RPUSH", CANARY, number


@pytest.mark.timeout(60 + 60 * FAILOVERS)
def test_nothing_is_lost_that_redis_has_kept(nursery, tmp_path):
    with Trio(tmp_path / "servers") as trio:
        store = Store(connections.target(trio.settle().value), "", conf.get().limits, "heartbeat")
        kiq = {"REDIS": trio.value, "WORKER": {"heartbeat": 0.5, "lease": 5, "poll_interval": 0.2}}
        workers = [nursery.worker("", tmp_path, "-c", "3", "-v", "0", kiq=kiq).ready() for _ in range(2)]
        pushes = Pushes(store)
        for _ in range(FAILOVERS):
            trio.settle()
            seen = effects(tmp_path).total()
            wait_for(lambda seen=seen: effects(tmp_path).total() > seen + 500, 30, "jobs to run")
            trio.fail_over()
            began, seen = time.monotonic(), effects(tmp_path).total()
            wait_for(lambda seen=seen: effects(tmp_path).total() > seen + 10, RETURN + SLACK, "jobs to run again")
            print(f"again after {time.monotonic() - began:.1f} s")
        pushes.end()
        wait_for(lambda: not left(store), 60, "all that is left to be done")
        assert all(worker.code is None for worker in workers)
        ran = {int(line.partition(" ")[2]) for line in effects(tmp_path) if line.startswith("end ")}
        kept = {int(number) for number in store.link.call("LRANGE", CANARY, 0, -1)}
        lost = pushes.acknowledged - ran
        print(f"{len(pushes.acknowledged)} acknowledged, {len(lost)} lost, {len(lost - kept)} of them by Redis")
        print(f"{len(pushes.on_replica)} known to be on the replica, {len(pushes.on_replica - ran)} lost")
        assert lost & kept == set()
        assert pushes.on_replica <= ran
