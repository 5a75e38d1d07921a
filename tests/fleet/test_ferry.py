"""Jobs that go from one island to another: killed at any step all arrive, each once; no worker runs what is carried."""

import pytest

from kiq_django import clock
from kiq_django.api import Queue, ScheduledSet
from kiq_django.exceptions import StoreError
from kiq_django.payload import CARRIED, Payload
from kiq_django.store.fleet import ferry
from kiq_django.store.fleet.ferry import AT_ONCE, ON_THE_WAY
from kiq_django.store.queues import Entry
from kiq_django.store.sets import Promotion
from kiq_django.worker.poller import Poller
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


STEPS = [("take", False), ("take", True), ("push", False), ("push", True), ("take_away", True), ("forget", True)]


def stop_at(monkeypatch, islands, step, *, after, source="queue"):
    here, there = islands
    take = "transfer_from_queue" if source == "queue" else "transfer"
    part, method = {
        "take": (here.sets, take),
        "push": (there.deliveries, "push_once"),
        "take_away": (ferry, "_take_away"),
        "forget": (ferry, "_forget"),
    }[step]
    kill_at(monkeypatch, part, method, after=after)


def wait_a_minute(islands):
    """What was set aside is due."""
    here, _ = islands
    for raw, _ in here.sets.page("schedule", 0, 99):
        here.link.call("ZADD", here.keys.job_set("schedule"), 1, raw)


def poll(store):
    for server in store.servers():
        Poller(server, 1).tick()


@pytest.mark.parametrize(("step", "after"), STEPS)
def test_killed_between_two_steps_each_job_arrives_once(store, islands, monkeypatch, step, after):
    put(store, 5)
    with monkeypatch.context() as patch:
        stop_at(patch, islands, step, after=after)
        with pytest.raises(Killed):
            Queue("default").move_all("mail")
    aside = numbers(raw for raw, _ in islands[0].sets.page("schedule", 0, 99))
    assert set(waiting(store, "default") + waiting(store, "mail") + aside) == set(range(5))
    wait_a_minute(islands)
    poll(store)
    assert sorted(waiting(store, "default") + waiting(store, "mail")) == list(range(5))
    assert waiting(store, "default") == ([0, 1, 2, 3, 4] if (step, after) == ("take", False) else [])
    assert store.sets.count("schedule") == 0


@pytest.mark.parametrize(("step", "after"), [("push", False), ("push", True), ("take_away", True)])
def test_the_poller_may_be_killed_as_well(store, islands, monkeypatch, step, after):
    put(store, 5)
    with monkeypatch.context() as patch:
        stop_at(patch, islands, "push", after=True)
        with pytest.raises(Killed):
            Queue("default").move_all("mail")
    for _ in range(2):
        wait_a_minute(islands)
        with monkeypatch.context() as patch:
            stop_at(patch, islands, step, after=after)
            if store.sets.count("schedule"):
                with pytest.raises(Killed):
                    poll(store)
    wait_a_minute(islands)
    poll(store)
    assert (waiting(store, "default"), waiting(store, "mail")) == ([], list(range(5)))
    assert store.sets.count("schedule") == 0


@pytest.mark.parametrize("late", ["push", "take_away"])
def test_a_carrier_that_is_only_slow_meets_another(store, islands, monkeypatch, late):
    """It stood still for more than a minute before a step; the poller has sent everything on meanwhile."""
    put(store, 5)
    part, method = {"push": (islands[1].deliveries, "push_once"), "take_away": (ferry, "_take_away")}[late]
    step = getattr(part, method)

    def after_a_minute(*args):
        monkeypatch.setattr(part, method, step)
        wait_a_minute(islands)
        poll(store)
        return step(*args)

    monkeypatch.setattr(part, method, after_a_minute)
    Queue("default").move_all("mail")
    assert waiting(store, "mail") == list(range(5))
    assert store.sets.count("schedule") == 0


def test_what_has_arrived_bears_no_label_and_leaves_no_mark(store, islands):
    put(store, 3)
    Queue("default").move_all("mail")
    assert not any(CARRIED.encode() in raw for raw in store.queues.page("mail", 0, 9))
    assert islands[1].link.call("KEYS", islands[1].keys.delivered("mail", "*")) == []


@pytest.mark.parametrize("step", [("push", False), ("push", True)])
def test_a_retry_of_the_dead_that_is_killed_goes_on_by_itself(store, islands, monkeypatch, step):
    here, _ = islands
    raw = Payload.new("note", [7], {}, queue="mail", retry=True, now=1.0).evolve(error_class="E").encode()
    here.sets.add("dead", raw, 1.0)
    with monkeypatch.context() as patch:
        stop_at(patch, islands, step[0], after=step[1], source="set")
        with pytest.raises(Killed):
            store.sets.promote("dead", [Promotion(raw, "mail", raw)])
    assert store.sets.count("dead") == 0
    wait_a_minute(islands)
    poll(store)
    assert waiting(store, "mail") == [7]
    assert store.sets.count("schedule") == 0


def test_a_person_may_send_on_what_a_carrier_left(store, islands, monkeypatch):
    put(store, 1)
    with monkeypatch.context() as patch:
        stop_at(patch, islands, "push", after=True)
        with pytest.raises(Killed):
            Queue("default").move_all("mail")
    (job,) = ScheduledSet().page()
    job.retry()
    assert (waiting(store, "default"), waiting(store, "mail"), store.sets.count("schedule")) == ([], [0], 0)


def test_what_cannot_be_read_is_moved_too(store, islands):
    islands[0].link.call("LPUSH", islands[0].keys.queue("default"), b"no job")
    assert Queue("default").move_all("mail") == 1
    assert store.queues.page("mail", 0, 9) == [b"no job"]
    assert store.sets.count("schedule") == 0


def test_what_was_under_way_comes_due_by_the_clock_of_the_server(store, islands, monkeypatch):
    put(store, 1)
    monkeypatch.setattr(clock, "now", lambda: 5.0)
    kill_at(monkeypatch, islands[1].deliveries, "push_once")
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
    if not store.link.info().supports_shebang:
        pytest.skip("a full Redis 6.2 takes them: it refuses a script by its first write alone")
    put(store, 3)
    with faults.full(islands[1].link.client), pytest.raises(StoreError):
        Queue("default").move_all("mail")
    assert numbers(raw for raw, _ in store.sets.page("schedule", 0, 9)) == [0, 1, 2]
    assert waiting(store, "mail") == []


def test_many_go_at_once_and_in_order(store):
    put(store, 2 * AT_ONCE + 50)
    store.queues.sizes(["default", "mail"])
    with round_trips() as sent:
        assert Queue("default").move_all("mail") == 2 * AT_ONCE + 50
    assert len(sent) <= 3 * 6 + 6
    found = [Payload.decode(raw).args[0] for raw in store.queues.page("mail", 0, 999)]
    assert found == list(range(2 * AT_ONCE + 50))
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
