"""What a job costs, by counts that are the same on every machine: an added command, round trip or call fails here."""

import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from django.utils import timezone, translation

import kiq_django
from kiq_django.worker import lookout
from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.event_loop import EventLoop
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.processor import Processor
from tests.support import round_trips

CALLS = {"process": 22, "turn": 3, "enqueue": 61, "enqueue_all": 8}
"""Of our own functions, a job. More is slower; who needs less says so here, so that it stays."""
PACKAGE = str(Path(kiq_django.__file__).parent)
COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")
DRAWN_AHEAD = "jids.py"
"""Not counted: once in 256 ids the chance of the next ones is drawn, wherever in a test that comes."""
JOBS = 200
ROOM = 50
"""Threads, and so jobs that one turn takes."""


@pytest.fixture(autouse=True)
def _plain_context():
    """No language or zone that an earlier test has left in force travels with the jobs."""
    translation.deactivate()
    timezone.deactivate()


class Crew:
    """A fetcher and one processor whose steps the test takes, in its own thread."""

    def __init__(self, store, queues=("default",)):
        self.buffer, self.seat = Buffer(), Seat()
        capsule = CapsuleConfig(queues=dict.fromkeys(queues, 0), concurrency=ROOM)
        self.fetcher = Fetcher(capsule, "test", store, self.buffer, lease=30, audit_every=600)
        self.fetcher._take_new_name()
        loop = EventLoop(1, threading.Event())
        self.processor = Processor("one", self.buffer, self.fetcher, loop, threading.Event(), lambda dead: None)
        self.fetcher._custody._pace.note = lambda finished, now: None  # nothing is fetched ahead: it is about time

    def turn(self):
        self.fetcher._turn()

    def run_all(self):
        while len(self.buffer):
            self.processor._process(self.buffer.take(self.seat))

    def work(self, turns):
        """So many turns of `ROOM` jobs each, and one that settles the last."""
        self.fetcher._fetching = True
        for _ in range(turns):
            self.turn()
            self.run_all()
        self.fetcher._fetching = False
        self.turn()


@pytest.fixture(autouse=True)
def _features(settings):
    """Those that are on by default: each says here what it costs a job that does not use it."""
    settings.KIQ = {key: value for key, value in settings.KIQ.items() if key != "FEATURES"}


@pytest.fixture
def empty(declare):
    return declare(lambda number: None, name="empty")


@pytest.fixture
def crew(store, empty):
    """It has worked before: scripts are known to the server, chains are made."""
    made = Crew(store)
    empty.enqueue(0)
    made.work(1)
    made.fetcher.settler.processed = 0
    made.fetcher._fetching = made.fetcher._lookout.due = True
    return made


def calls(function):
    """How often functions of ours are called while this one runs, in a thread without a database.

    Comprehensions do not count: they are calls up to Python 3.11 only.
    """
    counted = Counter()

    def note(frame, event, argument):
        code = frame.f_code
        is_ours = code.co_filename.startswith(PACKAGE) and not code.co_filename.endswith(DRAWN_AHEAD)
        if event == "call" and is_ours and not code.co_name.endswith(COMPREHENSIONS):
            counted[code] += 1

    def run():
        function()  # what is made once in a thread is made now
        sys.setprofile(note)
        function()
        sys.setprofile(None)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return counted.total()


def commands(store):
    """How often the server has run each command."""
    stats = store.link.client.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()})


def test_commands_and_round_trips_of_many_jobs(store, crew, empty):
    """A settle and a reserve a batch; LREM is the one command that every job has for itself."""
    empty.enqueue_all((number,) for number in range(JOBS))
    turns = JOBS // ROOM
    before = commands(store)
    with round_trips() as sent:
        crew.work(turns)
    spent = commands(store) - before
    assert len(sent) == turns + 1  # the first has nothing to settle, the last takes nothing
    del spent["info"]
    reserve = dict.fromkeys(("zscore", "sismember", "lrange", "ltrim", "lpush"), turns)
    assert spent == {"evalsha": 2 * turns, "time": turns, "lrem": JOBS, **reserve}
    assert crew.fetcher.settler.processed == JOBS


MANY = [f"queue{number}" for number in range(200)]


@pytest.fixture
def many(store, empty, monkeypatch):
    """A crew with many queues, for which no time passes."""
    monkeypatch.setattr(lookout, "EMPTY_FOR", 600)
    return Crew(store, MANY)


def test_many_queues_are_looked_into_no_further_than_there_is_room(store, many, empty):
    """And one that was found empty is not looked into again with each turn."""
    for name in MANY:
        empty.using(queue=name).enqueue_all((number,) for number in range(5))
    before = commands(store)
    many.work(turns := 5 * len(MANY) // ROOM)
    spent = commands(store) - before
    assert many.fetcher.settler.processed == 5 * len(MANY)
    assert spent["zscore"] <= len(MANY) + turns  # the last one that gave is looked into once more
    assert spent["evalsha"] <= 5 * len(MANY) // 5 + turns  # an end a queue, a fetch a turn


def test_none_of_many_queues_counts_as_empty_that_was_not_looked_into(store, many, empty):
    """Nor one that was looked into before the last job ended."""
    fetcher = many.fetcher
    fetcher._lookout.due = True
    for _ in range(len(MANY) // lookout.MOST_AT_ONCE):
        many.turn()
        assert fetcher.drained_at < 0
    begun = fetcher._lookout._empty_since
    many.turn()
    assert fetcher.drained_at == begun
    assert not fetcher._lookout.due
    assert fetcher._lookout.patience(600) == lookout.LOOK_AGAIN


def test_many_queues_are_all_looked_into_before_waiting(store, many, empty, monkeypatch):
    """A job that came into one that is left out as empty is found when its time is over."""
    fetcher = many.fetcher
    fetcher._lookout.due = True
    for _ in range(2):
        many.turn()
    empty.using(queue=MANY[0]).enqueue(1)
    for _ in range(2):
        many.turn()
    fetcher._lookout.due = True
    many.turn()
    assert not len(many.buffer)
    assert 1 < fetcher._lookout.patience(900) <= 600
    monkeypatch.setattr(lookout, "EMPTY_FOR", 0)
    fetcher._lookout.due = True
    many.turn()
    assert len(many.buffer) == 1


def test_a_longer_queue_costs_no_more(store, crew, empty):
    """Bytes to and from the server are those of the jobs that are moved, however many wait behind them."""

    def cost(waiting):
        store.link.client.flushdb()
        crew.fetcher._take_new_name()
        empty.enqueue_all((1000 + number,) for number in range(waiting))
        before = traffic(store)
        crew.work(JOBS // ROOM)
        return [after - former for after, former in zip(traffic(store), before, strict=True)]

    cost(JOBS)
    few, many = cost(JOBS), cost(20 * JOBS)
    assert many == pytest.approx(few, rel=0.02)


def traffic(store):
    stats = store.link.client.info("stats")
    return stats["total_net_input_bytes"], stats["total_net_output_bytes"], stats["total_commands_processed"]


def test_calls_of_the_thread_that_runs_a_job(crew, empty, store):
    empty.enqueue_all((number,) for number in range(2 * ROOM))
    crew.turn()
    taken = [crew.buffer.take(crew.seat) for _ in range(ROOM)]
    counted = calls(lambda: [crew.processor._process(reservation) for reservation in taken])
    assert counted // ROOM == CALLS["process"]


def test_calls_of_a_turn(crew, empty, store):
    empty.enqueue_all((number,) for number in range(4 * ROOM))
    crew.turn()
    crew.run_all()

    def turn():
        crew.turn()  # settles `ROOM` jobs, and takes as many
        profile = sys.getprofile()
        sys.setprofile(None)
        crew.run_all()
        sys.setprofile(profile)

    counted = calls(turn)
    assert counted // ROOM == CALLS["turn"]


def test_calls_of_enqueue(empty, store):
    counted = calls(lambda: [empty.enqueue(number) for number in range(100)])
    assert counted // 100 == CALLS["enqueue"]
    assert store.link.call("LLEN", store.keys.queue("default")) == 200


def test_calls_of_enqueueing_many(empty, store):
    counted = calls(lambda: empty.enqueue_all((number,) for number in range(1000)))
    assert counted // 1000 == CALLS["enqueue_all"]


def test_round_trips_of_enqueue(empty, store):
    empty.enqueue(1)
    with round_trips() as sent:
        empty.enqueue(2)
        empty.enqueue_all((number,) for number in range(1000))
    assert len(sent) == 2


def test_a_bulk_is_pushed_a_slice_at_a_time(empty, store):
    """What a lazy iterable has given is on its way before the next thousand is asked for."""
    ahead = []

    def items():
        for number in range(5000):
            ahead.append(number - store.link.call("LLEN", store.keys.queue("default")) if number % 500 == 0 else 0)
            yield (number,)

    empty.enqueue_all(items())
    assert 500 <= max(ahead) <= 1500  # one thousand may be under way
