"""The sorted sets: what is due, and moves that nobody makes twice."""

import threading

import pytest

from kiq_django import conf
from kiq_django import store as stores
from kiq_django.exceptions import StoreError
from kiq_django.store.sets import Promotion, Transfer


def ready(raw, queue="default"):
    return Promotion(raw, queue, raw)


# --- due ---


def test_due_by_the_servers_clock_the_earliest_first(store, server_now):
    now = server_now()
    for raw, score in ((b"late", now - 1), (b"early", 1.5), (b"later", now + 60), (b"old", 1e9)):
        store.sets.add("schedule", raw, score)
    assert store.sets.due("schedule", 10) == [b"early", b"old", b"late"]
    assert store.sets.due("schedule", 2) == [b"early", b"old"]
    assert store.sets.due("retry", 10) == []


# --- promote ---


def test_it_goes_to_the_back_of_its_queue_which_is_known_from_then_on(store, push, waiting):
    first = push("first")
    store.sets.add("retry", b"a", 1)
    store.sets.add("retry", b"b", 2)
    jobs = [Promotion(b"a", "default", b"new a"), Promotion(b"b", "other", b"new b")]
    assert store.sets.promote("retry", jobs) == [True, True]
    assert waiting() == [*first, b"new a"]
    assert waiting("other") == [b"new b"]
    assert store.queues.names() == ["default", "other"]
    assert store.sets.count("retry") == 0


def test_what_has_no_list_for_a_queue_stays(store, redis_call, waiting):
    redis_call("SET", "queue:odd", "no list")
    for raw in (b"a", b"b", b"c"):
        store.sets.add("retry", raw, 1)
    assert store.sets.promote("retry", [ready(b"a"), ready(b"b", "odd"), ready(b"c")]) == [True, False, True]
    assert waiting() == [b"a", b"c"]
    assert [raw for raw, _ in store.sets.page("retry", 0, 9)] == [b"b"]


def test_what_is_gone_stays_out(store, waiting):
    store.sets.add("retry", b"a", 1)
    assert store.sets.promote("retry", [ready(b"gone"), ready(b"a"), ready(b"a")]) == [False, True, False]
    assert waiting() == [b"a"]
    assert store.sets.promote("retry", [ready(b"gone", "unheard of")]) == [False]
    assert store.queues.names() == ["default"]


def test_bytes_are_not_touched(store, waiting):
    raw = bytes(range(256))
    store.sets.add("schedule", raw, 1)
    assert store.sets.due("schedule", 1) == [raw]
    assert store.sets.promote("schedule", [ready(raw)]) == [True]
    assert waiting() == [raw]


def test_two_pollers_move_each_job_once(store, waiting):
    raws = [b"%d" % number for number in range(1000)]
    store.link.send([("ZADD", store.keys.job_set("schedule"), 1, raw) for raw in raws])
    moved = [[], []]
    together = threading.Barrier(2)

    def poll(mine):
        together.wait()
        while due := store.sets.due("schedule", 25):
            answers = store.sets.promote("schedule", [ready(raw) for raw in due])
            mine += [raw for raw, answer in zip(due, answers, strict=True) if answer]

    pollers = [threading.Thread(target=poll, args=[mine]) for mine in moved]
    for poller in pollers:
        poller.start()
    for poller in pollers:
        poller.join(10)
    assert sorted(moved[0] + moved[1]) == sorted(raws)
    assert sorted(waiting()) == sorted(raws)


# --- transfer ---


def test_a_set_of_another_type_costs_no_job(store, redis_call, push, waiting):
    redis_call("SET", "dead", "no set")
    [raw] = push("a")
    store.sets.add("retry", b"a", 1)
    with pytest.raises(StoreError):
        store.sets.transfer("retry", "dead", [Transfer(b"a", b"a")])
    with pytest.raises(StoreError):
        store.sets.transfer_from_queue("default", "dead", [Transfer(raw, raw)])
    assert store.sets.count("retry") == 1
    assert waiting() == [raw]


def test_from_set_to_set(store, members, server_now):
    store.sets.add("retry", b"a", 1)
    jobs = [Transfer(b"a", b"dead a"), Transfer(b"gone", b"x")]
    assert store.sets.transfer("retry", "dead", jobs) == [True, False]
    [(raw, score)] = store.sets.page("dead", 0, 9)
    assert raw == b"dead a"
    assert score == pytest.approx(server_now(), abs=2)
    assert members("retry") == []


def test_within_a_set_to_another_time(store):
    store.sets.add("schedule", b"a", 1)
    assert store.sets.transfer("schedule", "schedule", [Transfer(b"a", b"a", 1234.5678)]) == [True]
    assert store.sets.page("schedule", 0, 9) == [(b"a", 1234.5678)]


def test_from_a_queue(store, push, waiting, members):
    a, b, c = push("a", "b", "c")
    assert store.sets.transfer_from_queue("default", "retry", [Transfer(b, b"new", 7)]) == [True]
    assert store.sets.transfer_from_queue("default", "retry", [Transfer(b, b"new", 7)]) == [False]
    assert waiting() == [a, c]
    assert store.sets.page("retry", 0, 9) == [(b"new", 7)]


def test_only_the_dead_are_limited(settings, store, members):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_jobs": 2, "dead_seconds": 60}}
    assert conf.get().limits.dead_jobs == 2
    limited = stores.get().sets
    limited.add("dead", b"ancient", 1)
    for raw in (b"a", b"b", b"c"):
        limited.add("retry", raw, 1)
    assert limited.transfer("retry", "schedule", [Transfer(raw, raw, 1) for raw in (b"a", b"b", b"c")]) == [True] * 3
    assert members("schedule") == [b"a", b"b", b"c"]
    limited.transfer("schedule", "dead", [Transfer(raw, raw) for raw in (b"a", b"b", b"c")])
    assert len(members("dead")) == 2
    assert b"ancient" not in members("dead")


# --- the rest ---


def test_pages_from_both_ends(store):
    for number in range(5):
        store.sets.add("dead", b"%d" % number, number)
    assert store.sets.page("dead", 1, 2) == [(b"1", 1), (b"2", 2)]
    assert store.sets.page("dead", 1, 2, reverse=True) == [(b"3", 3), (b"2", 2)]
    assert store.sets.page("dead", 5, 2) == []


def test_by_exact_score(store):
    store.sets.add("dead", b"a", 0.1 + 0.2)
    store.sets.add("dead", b"b", 0.3)
    assert store.sets.at_score("dead", 0.1 + 0.2) == [b"a"]


def test_removal_by_bytes_and_of_all(store):
    for raw in (b"a", b"\xff", b"c"):
        store.sets.add("dead", raw, 1)
    assert store.sets.remove("dead", [b"\xff", b"gone"]) == 1
    assert store.sets.remove("dead", []) == 0
    assert store.sets.clear("dead") == 2
    assert store.sets.clear("dead") == 0
