"""From the fetcher to the threads: in order, each once, and nobody sleeps while there is work."""

import sys
import threading
import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.reservation import Reservation
from tests.support import wait_for

PATIENCE = 10


@pytest.fixture
def hasty():
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def reservation(number=0):
    return Reservation("me", "default", b"%d" % number)


def started(*targets):
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def all_end(threads):
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


# --- one thread ---


def test_first_come_first_served():
    buffer, seat = Buffer(), Seat()
    buffer.put([1, 2])
    buffer.put([3])
    assert len(buffer) == 3
    assert [buffer.take(seat) for _ in range(3)] == [1, 2, 3]


def test_what_is_left_when_it_closes_is_still_taken():
    buffer, seat = Buffer(), Seat()
    buffer.put([1])
    buffer.close()
    buffer.put([2])
    assert [buffer.take(seat) for _ in range(3)] == [1, 2, None]


def test_jobs_can_be_taken_back_and_other_work_stays():
    buffer, seat = Buffer(), Seat()
    jobs = [reservation(number) for number in range(2)]
    buffer.put([jobs[0], print, jobs[1]])
    assert buffer.drain() == jobs
    assert buffer.take(seat) is print
    assert buffer.drain() == []


@given(st.lists(st.sampled_from(["job", "other", "take", "drain"])))
def test_nothing_is_lost_whatever_the_order(steps):
    buffer, seat = Buffer(), Seat()
    inside, went_in, came_out = [], [], []
    for step in steps:
        if step in ("job", "other"):
            item = reservation() if step == "job" else (lambda: None)
            went_in.append(item)
            inside.append(item)
            buffer.put([item])
        elif step == "take" and inside:
            item = buffer.take(seat)
            assert item is inside.pop(0)
            came_out.append(item)
        elif step == "drain":
            drained = buffer.drain()
            assert drained == [item for item in inside if isinstance(item, Reservation)]
            inside = [item for item in inside if not isinstance(item, Reservation)]
            came_out += drained
    assert len(buffer) == len(inside)
    assert {id(item) for item in came_out + inside} == {id(item) for item in went_in}


class SlyList(deque):
    """The idle list of a buffer to which something happens at the very moment when a thread joins it."""

    def __init__(self, before=lambda: None, after=lambda: None):
        super().__init__()
        self.before, self.after = before, after

    def append(self, seat):
        (before, self.before), (after, self.after) = (self.before, int), (self.after, int)
        before()
        super().append(seat)
        after()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("news", ["work", "the end", "both"])
def test_news_at_the_moment_of_going_to_sleep(monkeypatch, moment, news):
    buffer, taken = Buffer(), []

    def happen():
        if news != "the end":
            buffer.put(["work"])
        if news != "work":
            buffer.close()

    def take():
        seat = Seat()
        while (item := buffer.take(seat)) is not None:
            taken.append(item)

    monkeypatch.setattr(buffer, "_idle", SlyList(**{moment: happen}))
    takers = started(take)
    wait_for(lambda: taken or news == "the end")
    buffer.close()
    assert all_end(takers)
    assert taken == ([] if news == "the end" else ["work"])


# --- many threads ---


def test_each_piece_is_taken_once_by_many(hasty):
    buffer = Buffer()
    taken = [[] for _ in range(4)]

    def take(mine):
        seat = Seat()
        while (item := buffer.take(seat)) is not None:
            mine.append(item)

    def put(numbers):
        for number in numbers:
            buffer.put([number])

    takers = started(*[lambda mine=mine: take(mine) for mine in taken])
    assert all_end(started(lambda: put(range(5000)), lambda: put(range(5000, 10_000))))
    buffer.close()
    assert all_end(takers)
    assert sorted(item for mine in taken for item in mine) == list(range(10_000))


def test_no_thread_sleeps_through_its_wake(hasty):
    """One piece at a time, to threads that are just going to sleep: each is taken before the next is put."""
    buffer = Buffer()
    arrived = threading.Semaphore(0)

    def take():
        seat = Seat()
        while buffer.take(seat) is not None:
            arrived.release()

    takers = started(*[take] * 3)
    for number in range(4000):
        buffer.put([number])
        assert arrived.acquire(timeout=PATIENCE), f"number {number} lies there and nobody wakes"
    buffer.close()
    assert all_end(takers)


def test_as_many_wake_as_there_is_work():
    buffer = Buffer()
    gate, begun = threading.Event(), threading.Semaphore(0)

    def take():
        while (item := buffer.take(Seat())) is not None:
            begun.release()
            item()

    takers = started(*[take] * 3)
    buffer.put([gate.wait] * 3)
    for _ in range(3):
        assert begun.acquire(timeout=PATIENCE)
    gate.set()
    buffer.close()
    assert all_end(takers)


def test_closing_wakes_all_however_they_stand(hasty):
    for _ in range(200):
        buffer = Buffer()
        takers = started(*[lambda buffer=buffer: buffer.take(Seat())] * 3)
        buffer.close()
        assert all_end(takers)


def test_taking_back_races_with_taking(hasty):
    buffer = Buffer()
    jobs = [reservation(number) for number in range(3000)]
    taken, back = [], []

    def take():
        seat = Seat()
        while (item := buffer.take(seat)) is not None:
            taken.append(item)

    def drain():
        while len(taken) + len(back) < len(jobs):
            back.extend(buffer.drain())

    takers = started(take, take)
    drainer = started(drain)
    for job in jobs:
        buffer.put([job])
    assert all_end(drainer)
    buffer.close()
    assert all_end(takers)
    assert sorted(map(id, taken + back)) == sorted(map(id, jobs))
