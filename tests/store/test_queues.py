"""Pushing, and what a full server makes of it. Looking and clearing are tested with the API."""

import pytest

from kiq_django.exceptions import StoreRefused
from kiq_django.store.queues import Entry


def test_one_push_for_several_queues_and_times(store, waiting):
    jobs = [Entry("a", b"1"), Entry("b", b"2"), Entry("a", b"3"), Entry("a", b"4", 7.5), Entry("c", b"5", 2.0)]
    store.queues.push(jobs)
    assert (waiting("a"), waiting("b"), waiting("c")) == ([b"1", b"3"], [b"2"], [])
    assert store.sets.page("schedule", 0, 9) == [(b"5", 2.0), (b"4", 7.5)]
    assert store.queues.names() == ["a", "b"]  # as in Sidekiq, a scheduled job does not make its queue known


def test_nothing_to_push(store):
    store.queues.push([])
    assert store.link.call("DBSIZE") == 0


def test_bytes_are_not_touched(store, waiting):
    raw = bytes(range(256))
    store.queues.push([Entry("a", raw), Entry("a", raw, 1.5)])
    assert waiting("a") == [raw]
    assert store.sets.page("schedule", 0, 9) == [(raw, 1.5)]


def test_a_full_server_takes_no_jobs(store, full_redis):
    with pytest.raises(StoreRefused):
        store.queues.push([Entry("a", b"1")])
    with pytest.raises(StoreRefused):
        store.queues.push([Entry("a", b"1", 5.0)])
    assert (store.queues.names(), store.sets.count("schedule")) == ([], 0)


def test_figures_of_several_in_one_go(store, push):
    a, _ = push("a", "b", queue="one")
    assert store.queues.sizes(["one", "none"]) == {"one": 2, "none": 0}
    assert store.queues.oldest(["one", "none"]) == {"one": a, "none": None}


def test_one_of_two_equal_jobs_is_removed(store, push, waiting):
    [raw] = push("a")
    push("a")
    assert store.queues.remove("default", raw)
    assert waiting() == [raw]
    assert store.queues.remove("default", raw)
    assert not store.queues.remove("default", raw)


def test_pausing_twice_and_resuming_once(store):
    store.queues.pause("a", {"by": "me"})
    store.queues.pause("a", {"by": "you"})
    assert store.queues.resume("a")
    assert not store.queues.resume("a")


def test_names_that_are_no_text(store):
    store.link.call("SADD", store.keys.queues(), b"\xff", "a")
    assert store.queues.names() == ["a", "\ufffd"]
