"""The engine's loop, with the test in the place of the threads that run jobs, or with real ones."""

import logging
import statistics
import time
from types import SimpleNamespace

import pytest

from kiq_django import store as stores
from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.reaper import Reaper
from tests import faults
from tests.support import wait_for


class Hands(SimpleNamespace):
    """A fetcher, and its buffer for the test to take from."""

    def take(self):
        """The next reservation, as a thread of the capsule would get it."""
        return self.buffer.take(Seat())


@pytest.fixture
def fetch(store):
    """A fetcher without threads; `start` it. Ends with the test."""
    made = []

    def making(queues=None, concurrency=2, store=store, **options):
        options = {"lease": 30, "audit_every": 0.5, **options}
        buffer = Buffer()
        capsule = CapsuleConfig(queues=queues or {"default": 0}, concurrency=concurrency)
        made.append(Hands(fetcher=Fetcher(capsule, "test", store, buffer, **options), buffer=buffer))
        return made[-1]

    yield making
    for hands in made:
        hands.fetcher.abandon()
        assert hands.fetcher.join(5)


# --- order ---


def test_jobs_that_come_in_while_it_gets_quiet_go_back_in_their_old_order(fetch, push, waiting, monkeypatch):
    for number in range(4):
        push("job", number)
    hands = fetch(concurrency=4)
    turn = hands.fetcher._working.turn

    def turn_and_quiet(*args):
        answer = turn(*args)
        hands.fetcher.quiet()
        return answer

    monkeypatch.setattr(hands.fetcher, "_working", SimpleNamespace(turn=turn_and_quiet))
    hands.fetcher.start()
    wait_for(lambda: not hands.fetcher._fetching)
    hands.fetcher.stop()
    assert hands.fetcher.join(5)
    assert waiting() == [0, 1, 2, 3]


# --- prefetch ---


def test_what_was_fetched_ahead_goes_back_when_jobs_get_slower(fetch, push, monkeypatch):
    pace = SimpleNamespace(ahead=30, rate=0.0, note=lambda finished, now: None, forget=lambda: None)
    for number in range(31):
        push("job", number)
    hands = fetch(concurrency=1)
    monkeypatch.setattr(hands.fetcher._custody, "_pace", pace)
    hands.fetcher.start()
    running = hands.take()
    wait_for(lambda: len(hands.buffer) == 30)
    pace.ahead = 0
    for _ in range(20):
        time.sleep(0.005)  # what the job takes
        hands.fetcher.finish(running)
        running = hands.take()
    hands.fetcher.finish(running)
    assert len(hands.buffer) <= 1


def test_an_idle_thread_gets_its_job_although_quick_jobs_ran_before_a_slow_one(fetch, push):
    hands = fetch(concurrency=2)
    hands.fetcher.start()
    waits = []
    for number in range(7):
        for each in range(200):
            push("quick", each)
        for _ in range(200):
            hands.fetcher.finish(hands.take())
        push("slow", number)
        slow = hands.take()
        came = time.monotonic()
        push("next", number)
        following = hands.take()
        waits.append(time.monotonic() - came)
        hands.fetcher.finish(slow)
        hands.fetcher.finish(following)
    assert statistics.median(waits) < 0.03, waits


# --- trouble ---


def test_a_job_that_was_taken_back_during_an_outage_is_stolen(fetch, push, proxy, store):
    push("job", 1)
    hands = fetch(store=stores.get("fetch"))
    hands.fetcher.start()
    reservation = hands.take()
    proxy.refuse()
    hands.fetcher.finish(reservation)
    wait_for(lambda: hands.fetcher._outage.lasting)
    assert Reaper(store, 5, 30).reap("default", reservation.owner, force=True) == 1
    hands.fetcher._ownership.lost = True  # what the heartbeat finds at its next beat
    proxy.accept()
    wait_for(lambda: not hands.fetcher.settler.waiting)
    assert (hands.fetcher.settler.processed, hands.fetcher.settler.stolen) == (0, 1)


def test_a_full_redis_is_told_once(fetch, store, caplog):
    caplog.set_level(logging.INFO, "kiq_django.worker")
    hands = fetch()
    with faults.full(store.link.client):
        hands.fetcher.start()
        first = wait_for(lambda: caplog.records)[0]
        turned = hands.fetcher.turned_at
        wait_for(lambda: hands.fetcher.turned_at > turned + 1)
        assert "is full" in first.getMessage()
        assert len(caplog.records) <= 2
