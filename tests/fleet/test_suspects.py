"""Suspects in each layout: they wait where their lists lie, and one at a time is out over all of them."""

import pytest

from kiq_django import clock
from kiq_django.api import Queue
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from kiq_django.store.suspects import Suspects
from kiq_django.store.working import Batch
from kiq_django.worker.reaper import Reaper

QUEUES = ("default", "mail")
JIDS = [f"{number:024x}" for number in range(0xE00, 0xE00 + 6)]


def take(store, owner: str, lease: float = 0) -> list[tuple[str, bytes]]:
    """Everything there is, by one worker."""
    taken = []
    for queue in QUEUES:
        served = store.serving({queue: 0}).working
        served.register(owner, store.lists(queue), lease)
        taken += served.turn([], owner, store.lists(queue), 99).taken
    return taken


def die(store, owner: str) -> list[str]:
    """A worker takes what is there, and dies. Returns whose jobs it held."""
    taken = take(store, owner)
    looking = Reaper(store, 5, 30)
    for queue in {queue for queue, _ in taken}:
        looking.reap(queue, owner)
    return sorted(Payload.decode(raw).jid for _, raw in taken)


@pytest.fixture
def suspects(store):
    """Three on each queue, and nothing else."""
    for number, jid in enumerate(JIDS):
        queue = QUEUES[number % 2]
        made = Payload.new("note", [], {}, queue=queue, retry=True, now=clock.now(), jid=jid)
        store.queues.push([Entry(queue, made.encode())])
    assert die(store, "first") == die(store, "second") == JIDS
    return store.suspects


def test_they_are_counted_and_seen_by_queue(suspects, store):
    assert sum(suspects.sizes(QUEUES).values()) == 6
    assert sorted(Payload.decode(raw).jid for _, raw in suspects.held(["mail"])) == JIDS[1::2]
    assert [Queue(queue, store).summary().suspects for queue in QUEUES] == [3, 3]
    assert store.queues.clear("default") == 3
    assert sum(suspects.sizes(QUEUES).values()) == 3


def test_one_is_out_at_a_time_until_all_have_run(suspects, store):
    ran = []
    for number in range(6):
        assert suspects.let_out(store.working.served())
        assert suspects.is_out()
        assert suspects.let_out(store.working.served()) == "", "it waits"
        [(queue, raw)] = take(store, f"worker {number}", 30)
        assert suspects.let_out(store.working.served()) == "", "it runs"
        ended = [Batch(f"worker {number}", queue, [raw])]
        store.serving({queue: 0}).working.turn(ended, f"worker {number}", [], 0)
        assert not suspects.is_out()
        ran.append(Payload.decode(raw).jid)
    assert sorted(ran) == JIDS
    assert suspects.let_out(store.working.served()) == ""


def test_two_reapers_at_once_let_out_one(suspects, store, monkeypatch):
    """Each has seen that none is out before the other lets one out."""
    if len(store.servers()) > 1:
        pytest.skip("each server lets out its own")
    queues, found = store.working.served(), []
    let_out = Suspects.let_out

    def late(own, names):
        monkeypatch.undo()
        found.append(suspects.let_out(queues))
        return let_out(own, names)

    monkeypatch.setattr(Suspects, "let_out", late)
    found.append(suspects.let_out(queues))
    assert len([name for name in found if name]) == 1


def test_only_the_killer_is_buried(suspects, store):
    suspects.let_out(store.working.served())
    [killer] = die(store, "third")
    assert [Payload.decode(raw).jid for raw, _ in store.sets.page("dead", 0, 9)] == [killer]
    assert sum(suspects.sizes(QUEUES).values()) == 5


def test_a_paused_queue_keeps_its_own(suspects, store):
    store.queues.pause("default", {})
    let_out = []
    for number in range(3):
        let_out.append(suspects.let_out(store.working.served()) or suspects.let_out(store.working.served()))
        assert die(store, f"worker {number}") in [[jid] for jid in JIDS[1::2]]
    assert let_out == ["mail"] * 3
    assert suspects.let_out(store.working.served()) == ""


def test_without_any_nothing_is_out(store):
    assert store.suspects.let_out(QUEUES) == ""
    assert not store.suspects.is_out()
    assert store.suspects.held(QUEUES) == []
