"""The engine's own code at moments that models and runs found."""

import threading
import time

import pytest

from kiq_django import conf
from kiq_django.payload import Payload
from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.poller import Poller
from kiq_django.worker.reaper import Reaper
from tests.support import wait_for


@pytest.fixture
def begun(store):
    """A fetcher and one thread; the list has what the thread took."""
    taken = []
    buffer = Buffer()
    capsule = CapsuleConfig(queues={"default": 0}, concurrency=1)
    fetcher = Fetcher(capsule, "test", store, buffer, lease=30, audit_every=0.05)

    def take():
        seat = Seat()
        while (work := buffer.take(seat)) is not None:
            taken.append(work)
            fetcher.finish(work)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    fetcher.start()
    yield taken
    fetcher.abandon()
    assert fetcher.join(5)
    buffer.close()
    thread.join(5)


def test_what_is_adopted_begins_only_under_a_lease(store, begun):
    """The wait of a cut connection may still bring a job to an owner that was reaped: its reaper takes it back."""
    [owner] = wait_for(lambda: store.working.owners("default"))
    pipe = store.link.pipeline(atomic=True)  # before its fetcher has noticed
    pipe.zadd(store.keys.owners("default"), {owner: -time.time()})
    pipe.lpush(store.keys.working("default", owner), b"what a late wait brought")
    store.link.execute(pipe)

    def look():
        if len(store.working.owners("default")) > 1:  # it goes on under a new name: what it did not see is its reaper's
            Reaper(store, 5, 30).reap("default", owner, force=True)
        return begun

    wait_for(look, what="the job to begin, under a new name")
    assert [work.owner == owner for work in begun] == [False]


def test_the_shortest_lease_that_is_allowed_ends_too(store):
    heartbeat, lease = 0.1, 0.2
    assert conf.lease_trouble(lease, heartbeat) is None
    store.working.register("gone", ["default"], 0)
    reaper = Reaper(store, heartbeat, lease)
    reaper.start()
    try:
        wait_for(lambda: store.working.owners("default")["gone"] < 0, timeout=15 * lease)
    finally:
        reaper.stop()
        reaper.join(5)


def test_ten_thousand_jobs_of_one_moment_are_promoted_once_each(store):
    """By two pollers at once: neither the limit of a round nor the equal times let one be passed over."""
    raws = [
        Payload.new("step", [number], {}, queue="default", retry=True, now=1.5).encode() for number in range(10_000)
    ]
    store.link.call("ZADD", store.keys.job_set("schedule"), *(part for raw in raws for part in (1.5, raw)))
    pollers = [threading.Thread(target=Poller(store, 5).tick) for _ in range(2)]
    for thread in pollers:
        thread.start()
    for thread in pollers:
        thread.join(30)
    moved = [Payload.decode(raw).args[0] for raw in store.queues.page("default", 0, 20_000)]
    assert sorted(moved) == list(range(10_000))
    assert store.sets.count("schedule") == 0
