"""What holds in every layout: jobs go in, run, fail, come back, are seen and acted on, wherever they lie."""

import pytest

from kiq_django import clock
from kiq_django.api import DeadSet, ProcessSet, Queue, RetrySet, ScheduledSet, Stats, find_job
from kiq_django.api.filters import Filter
from kiq_django.api.operations import Operations
from kiq_django.options import RetryOn
from kiq_django.payload import Payload
from kiq_django.store.fleet import Fleet
from kiq_django.store.queues import Entry, Queues
from kiq_django.worker import unroutable
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.poller import Poller
from kiq_django.worker.reaper import Reaper
from tests.support import wait_for

JIDS = [f"{number:024x}" for number in range(0xA00, 0xA00 + 40)]


def payload(jid: str, queue: str = "default", **fields) -> Payload:
    return Payload.new("note", [jid], {}, queue=queue, retry=True, now=clock.now(), jid=jid, **fields)


def put(store, *jids: str, queue: str = "default", **fields) -> None:
    then = clock.now() - 60
    entries = [
        Entry(queue, payload(j, queue, enqueued_at=then + i / 1e3, **fields).encode()) for i, j in enumerate(jids)
    ]
    store.queues.push(entries)


def put_in(store, place: str, *jids: str, score: float = 0.0, queue: str = "default") -> None:
    for number, jid in enumerate(jids):
        store.sets.add(place, payload(jid, queue).encode(), score + number)


def jids(jobs) -> list[str]:
    return [job.jid for job in jobs]


def capsules() -> list[CapsuleConfig]:
    return [
        CapsuleConfig(queues={"default": 0}, concurrency=2),
        CapsuleConfig(name="mail", queues={"mail": 0}, concurrency=1),
    ]


def test_jobs_run_wherever_they_were_pushed(store, start, declare, done):
    declare(done.append, name="note")
    put(store, *JIDS[:20])
    put(store, *JIDS[20:], queue="mail")
    assert (Queue("default").size, Queue("mail").size) == (20, 20)
    launcher = start(capsules=capsules())
    wait_for(lambda: sorted(done) == JIDS)
    put(store, "late" + "0" * 20)  # comes in by itself
    wait_for(lambda: len(done) == 41)
    assert launcher.stop(5)
    assert store.working.served()
    assert [store.working.held(owner, [q]) for q in store.working.served() for owner in store.working.owners(q)] == [
        [] for q in store.working.served() for _ in store.working.owners(q)
    ]


def test_a_failed_job_comes_back_to_its_queue(store, start, declare, done):
    def note(jid):
        done.append(jid)
        if done.count(jid) == 1:
            raise ValueError(jid)

    declare(note, retry_on=RetryOn(ValueError, wait=0))
    put(store, *JIDS[:3])
    put(store, *JIDS[3:6], queue="mail")
    start(capsules=capsules())
    wait_for(lambda: sorted(done) == sorted(JIDS[:6] * 2))
    wait_for(lambda: RetrySet().size == 0)
    assert Stats().queues == {"default": 0, "mail": 0} or Stats().queues == {}


def test_a_retry_in_another_queue(store, start, declare, done):
    def note(jid):
        done.append(jid)
        if done.count(jid) == 1:
            raise ValueError(jid)

    declare(note, retry_on=RetryOn(ValueError, wait=0))
    put(store, *JIDS[:3], retry_queue="mail")
    launcher = start(capsules=capsules()[:1])
    wait_for(lambda: Queue("mail").size == 3)
    launcher.stop(5)
    assert sorted(jids(Queue("mail").page())) == JIDS[:3]
    assert {job.queue for job in Queue("mail").page()} == {"mail"}
    assert RetrySet().size == 0


def test_what_a_dead_owner_held_comes_back(store):
    put(store, *JIDS[:6])
    lists = store.lists("default")
    store.working.register("gone:1:x", lists, -1)
    taken = store.serving({"default": 0}).working.turn((), "gone:1:x", lists, 4).taken
    assert len(taken) == 4
    reaper = Reaper(store.serving({"default": 0}), 0.1, 0.1)
    reaper.reap_all(store.working.expired(store.working.served()))
    assert sorted(jids(Queue("default").page())) == JIDS[:6]


def test_scheduled_jobs_come_to_their_queues(store):
    put_in(store, "schedule", *JIDS[:3], score=clock.now() - 60)
    put_in(store, "schedule", *JIDS[3:5], score=clock.now() - 60, queue="mail")
    put_in(store, "schedule", JIDS[5], score=clock.now() + 60)
    for each in store.servers():
        Poller(each, 1).tick()
    assert sorted(jids(Queue("default").page())) == JIDS[:3]
    assert sorted(jids(Queue("mail").page())) == JIDS[3:5]
    assert jids(ScheduledSet().page()) == [JIDS[5]]


def test_a_set_is_read_in_order_wherever_its_jobs_lie(store):
    for number, jid in enumerate(JIDS):
        put_in(store, "dead", jid, score=clock.now() + number, queue=("default", "mail", "other")[number % 3])
    assert DeadSet().size == 40
    assert jids(DeadSet().page(5, 10)) == JIDS[5:15]
    assert jids(DeadSet().page(0, 3, latest_first=True)) == JIDS[:-4:-1]
    for latest_first in (False, True):
        found, cursor, passed = [], "", 0
        while True:
            page = DeadSet().search(latest_first=latest_first, cursor=cursor, limit=7)
            assert page.total == 40
            assert passed <= page.passed <= 40
            found, cursor, passed = [*found, *jids(page.jobs)], page.next, page.passed
            if page.complete:
                break
        assert (found, passed) == (JIDS[::-1] if latest_first else JIDS, 40)


def test_a_search_in_sets_and_queues(store):
    put(store, *JIDS[:20])
    put_in(store, "retry", *JIDS[20:30], score=clock.now() + 99)
    put_in(store, "retry", *JIDS[30:], score=clock.now() + 99, queue="mail")
    assert jids(RetrySet().search(Filter(text=JIDS[33])).jobs) == [JIDS[33]]
    assert jids(Queue("default").search(Filter(text=JIDS[7])).jobs) == [JIDS[7]]
    found, cursor = [], ""
    while True:
        page = Queue("default").search(cursor=cursor, limit=3)
        found, cursor = [*found, *jids(page.jobs)], page.next
        if page.complete:
            break
    assert sorted(found) == JIDS[:20]
    assert find_job(JIDS[7]).queue == "default"
    assert find_job(JIDS[35]).place == "retry"
    assert find_job("nowhere") is None


def test_acting_on_jobs_of_sets(store):
    put_in(store, "dead", *JIDS[:4], score=clock.now())
    put_in(store, "dead", *JIDS[4:8], score=clock.now(), queue="mail")
    by_jid = {job.jid: job for job in DeadSet().page()}
    assert by_jid[JIDS[0]].retry() is True
    assert by_jid[JIDS[0]].retry() is False
    assert by_jid[JIDS[4]].retry() is True
    assert by_jid[JIDS[1]].delete() is True
    assert by_jid[JIDS[5]].reschedule(clock.now() + 60) is True
    assert (Queue("default").size, Queue("mail").size, DeadSet().size, RetrySet().size) == (1, 1, 4, 1)
    assert DeadSet().retry_all() == 4
    assert (Queue("default").size, Queue("mail").size, DeadSet().size) == (3, 3, 0)


def test_acting_on_jobs_of_queues(store):
    put(store, *JIDS[:8])
    by_jid = {job.jid: job for job in Queue("default").page()}
    assert by_jid[JIDS[0]].delete() is True
    assert by_jid[JIDS[1]].kill() is True
    assert by_jid[JIDS[2]].reschedule(clock.now() + 60) is True
    assert by_jid[JIDS[3]].move("mail") is True
    assert jids(Queue("mail").page()) == [JIDS[3]]
    assert (Queue("default").size, DeadSet().size, ScheduledSet().size) == (4, 1, 1)
    assert Queue("default").move_all("mail") == 4
    assert (Queue("default").size, Queue("mail").size) == (0, 5)
    assert Queue("mail").clear() == 5


@pytest.mark.parametrize("place", ["queue", "dead"])
@pytest.mark.parametrize("verb", ["delete", "kill", "move"])
def test_operations(store, place, verb):
    if verb == "kill" and place == "dead":
        pytest.skip("they are dead already")
    if place == "queue":
        put(store, *JIDS)
    else:
        put_in(store, "dead", *JIDS[:20], score=clock.now() - 60)
        put_in(store, "dead", *JIDS[20:], score=clock.now() - 60, queue="mail")
    operations = Operations(store)
    where = Queue("default") if place == "queue" else DeadSet()
    operation = operations.start(verb, where, to="other" if verb == "move" else "")
    while not (now := operations.step(operation.id)).has_ended:
        pass
    assert (now.state, now.done) == ("done", 40)
    left = Queue("default").size + (DeadSet().size if place == "dead" else 0)
    assert left == (40 if (place, verb) == ("dead", "move") else 0)
    if place == "queue" and verb != "delete":
        assert (DeadSet().size if verb == "kill" else Queue("other").size) == 40


def test_what_nobody_knew_runs_as_soon_as_somebody_does(store, start, declare, done, monkeypatch):
    """Parked on every island; whoever comes to know it sends it back at once, wherever it lies."""
    monkeypatch.setattr(unroutable, "EVERY", 0.05)
    put(store, *JIDS[:4])
    put(store, *JIDS[4:8], queue="mail")
    before = start(capsules=capsules())
    wait_for(lambda: RetrySet().size == 8)
    wait_for(lambda: len(store.unroutable.names(["default", "mail"])) == 2)
    assert before.stop(5)
    declare(done.append, name="note")
    start(capsules=capsules()[1:])
    wait_for(lambda: sorted(done) == JIDS[4:8])
    assert RetrySet().size == 4, "of a queue that is not served"
    start(capsules=capsules()[:1])
    wait_for(lambda: sorted(done) == JIDS[:8])
    assert RetrySet().size == 0
    assert store.unroutable.names(["default", "mail"]) == []


def test_pause(store, start, declare, done):
    declare(done.append, name="note")
    put(store, *JIDS[:5])
    Queue("default").pause("ann", "slow")
    (summary,) = Queue.summaries()
    assert (summary.name, summary.size, summary.paused, summary.pause_note["by"]) == ("default", 5, True, "ann")
    start(capsules=capsules())
    put(store, JIDS[9], queue="mail")
    wait_for(lambda: done == [JIDS[9]])
    assert Queue("default").resume() is True
    wait_for(lambda: len(done) == 6)


@pytest.mark.parametrize("verb", ["resume", "pause"])
def test_a_worker_that_begins_meanwhile_leaves_a_pause_whole(store, monkeypatch, verb):
    """It has seen that the queue is paused when somebody changes that; then it closes the partitions."""
    if len(store.lists("default")) == 1:
        pytest.skip("a queue of one list is paused in one step")
    Queue("default").pause("ann")
    states = Queues.states

    def late(own, queues):
        monkeypatch.undo()
        seen = states(own, queues)
        Queue("default").resume()
        if verb == "pause":
            Queue("default").pause("bob")
        return seen

    monkeypatch.setattr(Queues, "states", late)
    store.serving({"default": 0}).working.register("me", store.lists("default"), 30)
    closed = {name for part in store.lists("default") for name in _closed(store, part)}
    assert closed == (set(store.lists("default")) if verb == "pause" else set())


def _closed(store, name):
    """A list, when nobody may fetch from it."""
    island = store._atlas.island(name) if isinstance(store, Fleet) else store
    return [state.name for state in island.queues.states([name]) if state.paused]


def test_figures(store, start, declare, done):
    declare(done.append, name="note")
    launcher = start(capsules=capsules())
    put(store, *JIDS[:5])
    put(store, *JIDS[5:9], queue="mail")
    wait_for(lambda: Stats().processed == 9)
    (process,) = ProcessSet()
    assert sorted(process.queues) == ["default", "mail"]
    assert store.others.queues() is None
    launcher.stop(5)
    assert list(ProcessSet()) == []
