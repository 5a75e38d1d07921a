"""What comes into a queue and leaves it by the minute, and when it will be empty."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiq_django import clock
from kiq_django.api import Queue
from kiq_django.api.flow import flows, queue_history
from kiq_django.execution import Outcome
from kiq_django.features.metrics import Flusher, Measurer, Tally
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from kiq_django.store.working import Batch

START = 1_770_091_500
"""2026-02-03 04:05 UTC."""


class Day:
    """A worker's day, minute by minute: jobs come, are taken, end, and the minute is measured and written."""

    def __init__(self, store, monkeypatch, queue="mail"):
        self.store, self.queue, self.tally = store, queue, Tally()
        self.measurer, self.flusher = Measurer(store, self.tally), Flusher(store, self.tally)
        self.now, self.taken, self._numbers = float(START), [], iter(range(10**6))
        monkeypatch.setattr(clock, "now", lambda: self.now)
        store.working.register("me", [queue], 30)
        self.measurer.tick()

    def push(self, number, queue=None):
        entries = [Entry(queue or self.queue, b'{"jid":"%d"}' % next(self._numbers)) for _ in range(number)]
        self.store.queues.push(entries)

    def take(self, number):
        taken = self.store.working.turn([], "me", [self.queue], number).taken
        self.taken += [raw for _, raw in taken]

    def end(self, number):
        done, self.taken = self.taken[:number], self.taken[number:]
        if done:
            self.store.working.turn([Batch("me", self.queue, acks=done)], "me", [], 0)
            self.tally.add([Outcome(Payload({"class": "a", "jid": "j", "args": []}), self.queue, None) for _ in done])

    def minute(self, *, measured=True):
        """Until the next one begins."""
        self.now += 60
        if measured:
            self.measurer.tick()
        self.flusher.tick()

    def flow(self, minutes=5, **options):
        """Late enough for the minute that has just ended to be written."""
        return flows([self.queue], minutes, now=self.now + 10, **options)[self.queue]


@pytest.fixture
def day(store, monkeypatch):
    return Day(store, monkeypatch)


def told(flow):
    return (flow.minutes, flow.in_per_minute, flow.out_per_minute, flow.time_to_empty)


# --- rates ---


def test_in_out_and_time_to_empty(day):
    day.push(20)
    for _ in range(5):
        day.push(2)
        day.take(5)
        day.end(5)
        day.minute()
    assert told(day.flow()) == (5, 6.0, 5.0, math.inf)
    assert told(day.flow(4)) == (4, 2.0, 5.0, 60 * 5 / 3)
    assert day.flow(4, sizes={"mail": 30}).time_to_empty == 600
    assert day.flow(4, sizes={"mail": 0}).time_to_empty == 0


def test_an_empty_queue_is_empty_now(day):
    for _ in range(5):
        day.push(3)
        day.take(3)
        day.end(3)
        day.minute()
    assert told(day.flow()) == (5, 3.0, 3.0, 0.0)


def test_jobs_that_run_have_come_and_not_left(day):
    day.push(10)
    day.take(10)
    day.minute()
    assert told(day.flow()) == (1, 10.0, 0.0, 0.0)
    for _ in range(4):
        day.minute()
    assert told(day.flow()) == (5, 2.0, 0.0, 0.0)
    day.end(10)
    day.minute()
    assert told(day.flow()) == (5, 0.0, 2.0, 0.0)


def test_pushed_back_jobs_have_neither_come_nor_left(day):
    day.push(10)
    day.minute()
    day.take(10)
    day.minute()
    day.store.working.reclaim("mail", "me", [(raw, raw.decode(), b"") for raw in reversed(day.taken)], force=True)
    day.minute()
    assert told(day.flow(2)) == (2, 0.0, 0.0, math.inf)


def test_a_paused_queue_gets_never_empty(day):
    Queue("mail").pause()
    for _ in range(3):
        day.push(4)
        day.take(5)
        day.minute()
    assert told(day.flow(3)) == (3, 4.0, 0.0, math.inf)


def test_jobs_of_many_queues(day):
    day.push(6)
    day.push(9, queue="idle")
    for _ in range(2):
        day.minute()
    found = flows(["mail", "idle", "nobody", "mail"], 2, now=day.now + 10)
    assert list(found) == ["mail", "idle", "nobody"]
    assert [flow.in_per_minute for flow in found.values()] == [3.0, 4.5, 0.0]
    assert told(found["nobody"]) == (2, 0.0, 0.0, 0.0)
    assert flows([]) == {}


# --- jobs that leave another way ---


@pytest.mark.parametrize("counted", [True, False])
def test_a_queue_that_is_cleared(day, counted):
    for cleared in (False, False, True, False):
        day.push(100)
        day.take(10)
        day.end(10)
        if cleared:
            number = day.store.queues.clear("mail")
            if counted:
                day.store.flow.removed("mail", number, clock.now())
        day.minute()
    flow = day.flow(4)
    assert (flow.in_per_minute, flow.out_per_minute) == (100.0, 10.0)
    assert flow.time_to_empty == math.inf


def test_jobs_that_are_moved_come_into_the_other_queue(day):
    day.push(40)
    day.minute()
    moved = day.store.queues.move("mail", "idle", 30)
    day.store.flow.removed("mail", moved, clock.now())
    day.minute()
    found = flows(["mail", "idle"], 1, now=day.now + 10)
    assert [flow.in_per_minute for flow in found.values()] == [0.0, 30.0]
    assert [flow.out_per_minute for flow in found.values()] == [0.0, 0.0]


def test_when_all_that_is_known_is_that_jobs_vanish_nothing_is_said_of_what_came(day):
    day.push(100)
    day.minute()
    day.store.queues.clear("mail")
    day.push(5)
    day.minute()
    assert told(day.flow(1)) == (1, None, 0.0, None)


# --- what is not known ---


def test_no_worker_no_figures(store):
    store.queues.push([Entry("mail", b"{}")])
    flow = flows(["mail"], now=START)["mail"]
    assert told(flow) == (0, None, None, None)
    assert flows(["mail"], now=START, sizes={"mail": 0})["mail"].time_to_empty == 0
    assert {(point.size, point.latency, point.out) for point in queue_history("mail", now=START)} == {(None,) * 3}


def test_a_worker_that_has_just_started(day):
    assert told(day.flow()) == (0, None, None, 0.0)
    day.push(8)
    day.minute()
    assert told(day.flow()) == (1, 8.0, 0.0, math.inf)


def test_a_minute_that_nobody_measured_is_bridged(day):
    day.push(50)
    day.minute()
    for measured in (True, False, False, True):
        day.push(1)
        day.take(3)
        day.end(3)
        day.minute(measured=measured)
    assert told(day.flow(4)) == (4, 1.0, 3.0, 60 * 42 / 2)
    assert day.flow(2).minutes == 0


def test_what_is_not_written_yet_is_not_looked_at(day):
    """Another worker may take some seconds to write what it ran until the minute's end."""
    day.push(10)
    day.minute()
    day.take(10)
    day.end(10)
    day.minute()
    assert flows(["mail"], 1, now=day.now + 7.9)["mail"].in_per_minute == 10
    assert flows(["mail"], 1, now=day.now + 8)["mail"].in_per_minute == 0


def test_a_queue_that_ruby_serves(day, beat):
    beat("ruby:1:x", info={"version": "7.3.10", "queues": ["mail"]})
    day.push(100)
    day.minute()
    for _ in range(2):
        for raw in day.store.queues.page("mail", 0, 20):
            day.store.queues.remove("mail", raw)
        day.minute()
    assert told(day.flow(2)) == (0, None, None, 60 * 60 / 20)
    assert [point.out for point in queue_history("mail", 3, now=day.now)] == [None, None, None]
    assert [point.size for point in queue_history("mail", 3, now=day.now)] == [100, 80, 60]


@pytest.mark.parametrize("minutes", [0, 61])
def test_what_is_not_kept(minutes):
    with pytest.raises(ValueError, match="1 to 60"):
        flows(["mail"], minutes)


# --- whatever happens ---

MINUTES = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.integers(0, 12),
        st.integers(0, 12),
        st.sampled_from(["", "", "", "clear", "move", "lose"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minutes=MINUTES)
def test_what_came_is_what_was_pushed(store, monkeypatch, minutes):
    """Whatever is taken, ends, is cleared, moved or pushed back meanwhile, and whichever minutes are measured."""
    store.link.call("FLUSHALL")
    day = Day(store, monkeypatch)
    for pushed, taken, ended, other, measured in minutes:
        day.push(pushed)
        day.take(taken)
        day.end(ended)
        removed = 0
        if other == "clear":
            removed = store.queues.clear("mail")
        elif other == "move":
            removed = store.queues.move("mail", "elsewhere", 4)
        elif other == "lose":
            store.working.reclaim("mail", "me", [(raw, raw.decode(), b"") for raw in reversed(day.taken)], force=True)
            store.link.call("DEL", store.keys.owners("mail"))
            store.working.register("me", ["mail"], 30)
            day.taken = []
        if removed:
            store.flow.removed("mail", removed, clock.now())
        day.minute(measured=measured or minutes[-1] == (pushed, taken, ended, other, measured))
    flow = day.flow(len(minutes))
    assert flow.minutes == len(minutes)
    assert flow.in_per_minute == pytest.approx(sum(pushed for pushed, *_ in minutes) / len(minutes))


# --- history ---


def test_an_hour_by_minute(day):
    for number in range(3):
        day.push(10)
        day.take(number)
        day.end(number)
        day.minute()
    points = queue_history("mail", 60, now=day.now + 30)
    assert len(points) == 60
    assert points[-1].begin == datetime(2026, 2, 3, 4, 8, tzinfo=UTC)
    assert [(point.size, point.out) for point in points[-5:]] == [(None, None), (0, 0), (10, 1), (19, 2), (27, 0)]


def test_eight_hours_by_ten_minutes(day):
    for _ in range(30):
        day.push(3)
        day.take(2)
        day.end(2)
        day.minute()
    points = queue_history("mail", 480, now=day.now)
    assert len(points) == 48
    assert [(f"{point.begin:%H:%M}", point.size, point.out) for point in points[-4:]] == [
        ("04:00", None, 10),
        ("04:10", 5, 20),
        ("04:20", 15, 20),
        ("04:30", 25, 10),
    ]


def test_the_wait_stands_beside(store):
    store.queues.push([Entry("mail", b'{"class":"a","jid":"b","args":[],"enqueued_at":%d.5}' % (START - 90))])
    store.sizes.take(START)
    assert queue_history("mail", 1, now=START)[0].latency == pytest.approx(89.5)


@pytest.mark.parametrize("minutes", [0, 481])
def test_history_that_is_not_kept(minutes):
    with pytest.raises(ValueError, match="1 to 480"):
        queue_history("mail", minutes)


def test_round_trips(store, day, monkeypatch):
    sent = []
    execute = store.link.execute
    monkeypatch.setattr(store.link, "execute", lambda pipe: sent.append(len(pipe)) or execute(pipe))
    flows([f"queue{number}" for number in range(1_000)], now=day.now, store=store)
    assert sent == [6, 5]
    queue_history("mail", 480, now=day.now, store=store)
    assert sent[2:] == [48, 48]
