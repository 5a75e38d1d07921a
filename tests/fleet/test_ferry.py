"""Jobs that go from one island to another: killed at any step none is lost, and no worker runs what is carried."""

import pytest

from kiq_django import clock
from kiq_django.api import Queue
from kiq_django.exceptions import StoreError
from kiq_django.payload import Payload
from kiq_django.store.fleet.ferry import CARRIED, ON_THE_WAY
from kiq_django.store.queues import Entry
from kiq_django.store.sets import Promotion
from tests import faults
from tests.support import round_trips


class Killed(BaseException):
    """As if the process had ended."""


@pytest.fixture
def store(several):
    return several


@pytest.fixture
def islands(store):
    return [server.home for server in store._atlas.servers]


def put(store, number):
    made = [Payload.new("note", [n], {}, queue="default", retry=True, now=1.0) for n in range(number)]
    store.queues.push([Entry("default", payload.encode()) for payload in made])


def numbers(raws):
    return sorted(Payload.decode(raw).args[0] for raw in raws)


def waiting(store, queue):
    return numbers(store.queues.page(queue, 0, 10_000))


def kill_at(monkeypatch, part, method, *, after=False):
    """The process ends when it comes to a step, or has just done it."""
    step = getattr(part, method)

    def end(*args):
        if after:
            step(*args)
        raise Killed

    monkeypatch.setattr(part, method, end)


@pytest.mark.parametrize(
    ("step", "after", "twice"),
    [("take", False, 0), ("take", True, 0), ("push", False, 0), ("push", True, 5), ("remove", True, 0)],
)
def test_killed_between_two_steps_it_loses_nothing(store, islands, monkeypatch, step, after, twice):
    here, there = islands
    put(store, 5)
    with monkeypatch.context() as patch:
        part, method = {
            "take": (here.sets, "transfer_from_queue"),
            "push": (there.queues, "push"),
            "remove": (here.sets, "remove"),
        }[step]
        kill_at(patch, part, method, after=after)
        with pytest.raises(Killed):
            Queue("default").move_all("mail")
    aside = [raw for raw, _ in here.sets.page("schedule", 0, 99)]
    everything = waiting(store, "default") + waiting(store, "mail") + numbers(aside)
    assert set(everything) == set(range(5))
    assert len(everything) == 5 + twice


def test_what_was_under_way_comes_due_by_the_clock_of_the_server(store, islands, monkeypatch):
    put(store, 1)
    monkeypatch.setattr(clock, "now", lambda: 5.0)
    kill_at(monkeypatch, islands[1].queues, "push")
    with pytest.raises(Killed):
        Queue("default").move_all("mail")
    ((_, due),) = store.sets.page("schedule", 0, 9)
    seconds, _ = islands[0].link.call("TIME")
    assert 0 < due - seconds <= ON_THE_WAY + 1


def test_what_a_worker_has_taken_meanwhile_is_its_own(store, islands, monkeypatch):
    """It reserves a job after we have seen it, and before we take it."""
    here, _ = islands
    put(store, 3)
    take = here.sets.transfer_from_queue

    def late(*args):
        monkeypatch.setattr(here.sets, "transfer_from_queue", take)
        here.working.register("me", ["default"], 30)
        assert len(here.working.turn((), "me", ["default"], 1).taken) == 1
        return take(*args)

    monkeypatch.setattr(here.sets, "transfer_from_queue", late)
    assert Queue("default").move_all("mail") == 2
    assert waiting(store, "mail") == [1, 2]
    assert numbers(raw for _, raw in here.working.held("me", ["default"])) == [0]


def test_where_the_goal_is_full_they_wait_and_come_back(store, islands):
    put(store, 3)
    with faults.full(islands[1].link.client), pytest.raises(StoreError):
        Queue("default").move_all("mail")
    assert numbers(raw for raw, _ in store.sets.page("schedule", 0, 9)) == [0, 1, 2]
    assert waiting(store, "mail") == []


def test_many_go_at_once_and_in_order(store):
    put(store, 2 * CARRIED + 50)
    store.queues.sizes(["default", "mail"])
    with round_trips() as sent:
        assert Queue("default").move_all("mail") == 2 * CARRIED + 50
    assert len(sent) <= 3 * 6 + 6
    found = [Payload.decode(raw).args[0] for raw in store.queues.page("mail", 0, 999)]
    assert found == list(range(2 * CARRIED + 50))
    assert store.sets.count("schedule") == 0


def test_from_a_set_to_another_server_in_one_go(store, islands):
    here, there = islands
    made = [Payload.new("note", [n], {}, queue="mail", retry=True, now=1.0).encode() for n in range(30)]
    for number, raw in enumerate(made):
        here.sets.add("dead", raw, 1.0 + number)
    with round_trips() as sent:
        assert store.sets.promote("dead", [Promotion(raw, "mail", raw) for raw in made]) == [True] * 30
    assert len(sent) <= 10
    assert (here.sets.count("dead"), numbers(there.queues.page("mail", 0, 99))) == (0, list(range(30)))
