"""The queues as one worker measures them for all, once a minute."""

import json

import pytest

from kiq_django.store import sizes
from kiq_django.store.sizes import Size
from kiq_django.store.working import Batch

MINUTE = 1_770_091_500
"""2026-02-03 04:05 UTC."""


@pytest.fixture
def measured(store):
    """Measure, and say what was found of these queues."""

    def measured(*queues, at=MINUTE):
        assert store.sizes.take(at + 0.01)
        return store.sizes.read(queues, [at])[0]

    return measured


@pytest.fixture
def process(store):
    """Have a process of that version say that it lives and what it serves."""

    def process(identity, info):
        text = info if isinstance(info, str) else json.dumps(info)
        return store.processes.beat(identity, {"info": text}, {})

    return process


def test_what_waits_and_what_is_taken(store, push, measured):
    push(*"abcd", enqueued_at=MINUTE - 9.0)
    push("e", queue="mail", enqueued_at=MINUTE - 2.5)
    store.working.register("me", ["default"], 30)
    store.working.register("other", ["default"], 30)
    store.working.turn([], "me", ["default"], 2)
    taken = store.working.turn([], "other", ["default"], 1).taken
    found = measured("default", "mail", "nobody")
    assert found == {
        "default": Size(1, pytest.approx(9, abs=0.02), 3),
        "mail": Size(1, pytest.approx(2.5, abs=0.02), 0),
        "nobody": Size(),
    }
    store.working.turn([Batch("other", "default", acks=[raw for _, raw in taken])], "other", [], 0)
    assert measured("default", at=MINUTE + 60)["default"].taken == 2


def test_jobs_of_a_dead_worker_are_taken_until_they_are_taken_back(store, push, measured):
    push("a")
    store.working.register("gone", ["default"], 0)
    store.working.turn([], "gone", ["default"], 1)
    assert measured("default")["default"][::2] == (0, 1)
    raws = store.working.left_behind("default", "gone", 9)
    store.working.reclaim("default", "gone", [(raws[0], "a", b"")])
    assert measured("default", at=MINUTE + 60)["default"][::2] == (1, 0)


def test_the_first_one_measures_for_all(store, push):
    assert store.sizes.take(MINUTE + 0.01)
    push("a")
    assert not store.sizes.take(MINUTE + 0.02)
    assert store.sizes.read(["default"], [MINUTE]) == [{"default": Size()}]
    assert store.sizes.take(MINUTE + 60)


def test_nobody_measured_is_not_nothing(store):
    assert store.sizes.read(["default"], [MINUTE, MINUTE + 60]) == [None, None]
    store.sizes.take(MINUTE)
    assert store.sizes.read(["default"], [MINUTE, MINUTE + 60]) == [{"default": Size()}, None]


def test_a_measurement_that_failed_midway_is_none(store, monkeypatch):
    monkeypatch.setattr(sizes.Sizes, "_write", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.sizes.take(MINUTE)
    assert store.sizes.read(["default"], [MINUTE]) == [None]


def test_idle_queues_take_no_room(store, redis_call):
    for number in range(200):
        redis_call("SADD", "queues", f"idle{number}")
    store.sizes.take(MINUTE)
    assert redis_call("HGETALL", "kiq:sizes:202602030405") == {b"all": b"1"}


@pytest.mark.parametrize(("minute", "expiry"), [(MINUTE, 4_800), (MINUTE + 300, 32_400)])
def test_every_tenth_minute_is_kept_longer(store, redis_call, minute, expiry):
    store.sizes.take(minute)
    (key,) = redis_call("KEYS", "kiq:sizes:*")
    assert expiry - 5 < redis_call("TTL", key) <= expiry
    assert 0 < redis_call("TTL", key.replace(b"sizes", b"sized")) <= 120


def test_beyond_so_many_queues_nothing_is_known(store, push, measured, monkeypatch):
    monkeypatch.setattr(sizes, "MOST_QUEUES", 2)
    store.working.register("me", ["served"], 30)
    for queue in ("a", "b", "c"):
        push("1", queue=queue, enqueued_at=MINUTE)
    found = measured("a", "b", "c", "served")
    assert {name: size.waiting for name, size in found.items()} == {"served": 0, "a": 1}


@pytest.mark.parametrize("bound", ["MOST_OWNERS", "MOST_LISTS"])
def test_beyond_so_many_workers_what_they_took_is_not_counted(store, push, measured, monkeypatch, bound):
    monkeypatch.setattr(sizes, bound, 3)
    for number in range(4):
        store.working.register(f"owner{number}", ["default"], 30)
    push("a", enqueued_at=MINUTE)
    assert measured("default")["default"][::2] == (1, None)


def test_reaped_owners_are_not_looked_at(store, measured, monkeypatch):
    monkeypatch.setattr(sizes, "MOST_OWNERS", 2)
    for number in range(5):
        store.working.register(f"owner{number}", ["default"], 0)
        store.working.reclaim("default", f"owner{number}", [], force=True)
    assert measured("default")["default"].taken == 0


SIDEKIQ_7 = {"version": "7.3.10", "queues": ["ruby", "both"], "weights": [{"ruby": 0}]}
SIDEKIQ_6 = {"queues": ["ruby", "both"]}
SIDEKIQ_8 = {"version": "8.1.7", "capsules": {"default": {"weights": {"ruby": 1}}, "more": {"weights": {"both": 2}}}}
WEIGHTS = {"version": "8.1.7", "weights": [{"ruby": 1}, {"both": 1}]}


@pytest.mark.parametrize("info", [SIDEKIQ_6, SIDEKIQ_7, SIDEKIQ_8, WEIGHTS])
def test_queues_that_ruby_serves_are_marked(store, push, process, measured, info):
    process("ruby:1:x", info)
    process("ours:1:x", {"version": "kiq_django 0.1.0", "queues": ["ours", "both"]})
    assert {name: size.elsewhere for name, size in measured("ruby", "both", "ours").items()} == {
        "ruby": True,
        "both": True,
        "ours": False,
    }
    assert store.others.were_here()


def test_ruby_is_remembered(store, process, redis_call):
    process("ours:1:x", '{"version": "kiq_django 0.1.0"}')
    store.sizes.take(MINUTE)
    assert not store.others.were_here()
    process("ruby:1:x", SIDEKIQ_6)
    assert store.others.were_here()
    store.sizes.take(MINUTE + 60)
    store.processes.leave("ruby:1:x")
    assert store.others.were_here()
    assert store.others.queues() is None
    assert 86_400 * 7 < redis_call("TTL", "kiq:sidekiq_seen") <= 86_400 * 8


@pytest.mark.parametrize("info", ["{", "[1]", '{"queues": 7, "weights": 3, "capsules": [1]}', '{"capsules": {"a": 1}}'])
def test_odd_words_of_a_process_do_no_harm(process, measured, info):
    process("odd:1:x", info)
    assert measured("default") == {"default": Size()}


@pytest.mark.parametrize("raw", [b"nonsense", b"\xff\xfe", b"{}", b'{"class":"a","jid":"b","args":[]}'])
def test_odd_jobs_wait_for_no_time(redis_call, measured, raw):
    redis_call("SADD", "queues", "default")
    redis_call("LPUSH", "queue:default", raw)
    assert measured("default") == {"default": Size(1, 0.0, 0)}


def test_odd_names_of_queues(redis_call, push, measured):
    for name in ("all", "", "a|b", "q|all", "ü x"):
        push("1", queue=name, enqueued_at=MINUTE)
    found = measured("all", "", "a|b", "q|all", "ü x")
    assert {name: size.waiting for name, size in found.items()} == dict.fromkeys(("all", "", "a|b", "q|all", "ü x"), 1)
