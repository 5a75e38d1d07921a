"""Records of jobs that failed: written in the step that moves the job, once, bounded, and not for ever."""

import math
import random
import zlib

import pytest

from kiq_django import conf
from kiq_django import store as stores
from kiq_django.exceptions import StoreError
from kiq_django.store import records
from kiq_django.store.working import Move
from tests import faults
from tests.store.conftest import QUEUES, settle, take

DAY = 86_400
LINES = ("shop/jobs.py:7:in `pay`", "/lib/x.py:1:in `call`")


def attempt(started_at=10.0, *, lines=LINES, **fields):
    told = {"error_class": "Timeout", "message": "late", "frame": "shop/jobs.py:7 in pay", **fields}
    return records.Attempt(started_at, 0.25, "host:1:nonce", backtrace=lines, **told)


def failed(place="retry", *, before=0, jid="a", run=None, queue="default"):
    return records.failed(jid, place, "shop.pay", queue, before, run or attempt())


@pytest.fixture
def run(store, push, working):
    """Let a job run and end so."""
    number = iter(range(10_000))

    def ran(verb, note, delay=0.0):
        [raw] = push(f"{next(number)}")
        take(working)
        return settle(stores.get().working, Move(verb, raw, delay, raw, note))

    return ran


@pytest.fixture
def expiry(store):
    """Seconds that a record still has."""
    return lambda jid="a": store.link.call("TTL", store.keys.job("default", jid))


# --- what is written ---


def test_a_failed_run(store, run, server_now):
    before = server_now()
    assert run("retry", failed(), 60) == b"1"
    record = store.records.read("a")
    assert (record.name, record.queue, record.place, record.failures) == ("shop.pay", "default", "retry", 1)
    assert record.attempts == (records.Attempt(10.0, 0.25, "host:1:nonce", "Timeout", "late", *attempt_end(1)),)
    assert before <= record.written_at <= server_now()
    assert record.end is None


def attempt_end(number):
    return ("shop/jobs.py:7 in pay", LINES, number)


@pytest.mark.parametrize(("verb", "name"), [("retry", "retry"), ("bury", "dead"), ("schedule", "schedule")])
def test_the_score_finds_the_job_at_once(store, run, verb, name):
    run(verb, failed(name), 12.345678)
    found = store.records.at_score(name, store.records.read("a").score)
    assert len(found) == 1
    assert found == [raw for raw, _ in store.sets.page(name, 0, 9)]


def test_the_runs_of_a_job_are_numbered(store, run):
    for started_at in (1.0, 2.0, 3.0):
        run("retry", failed(run=attempt(started_at)))
    assert [(each.number, each.started_at) for each in store.records.read("a").attempts] == [
        (1, 1.0),
        (2, 2.0),
        (3, 3.0),
    ]


def test_failures_that_only_the_payload_told_of_count(store, run):
    run("retry", failed(before=3))
    run("retry", failed(before=0))  # a retry by hand takes one off
    record = store.records.read("a")
    assert [each.number for each in record.attempts] == [4, 5]
    assert record.failures == 5


def test_a_good_end(store, run):
    run("retry", failed())
    end = records.Run(20.0, 1.5, "host:2:nonce")
    assert run("end", records.succeeded("a", "shop.pay", "default", end)) == b"1"
    record = store.records.read("a")
    assert (record.place, record.end, record.end.ended_at) == ("done", end, 21.5)
    assert len(record.attempts) == 1
    assert store.sets.count("retry") == 1


@pytest.mark.parametrize("place", ["discarded", "dropped"])
def test_another_end(store, run, everything_empty, place):
    assert run("end", failed(place)) == b"1"
    assert everything_empty()
    assert store.records.read("a").place == place


@pytest.fixture
def everything_empty(store, waiting):
    return lambda: not waiting() and not any(store.sets.count(name) for name in ("retry", "dead", "schedule"))


def test_several_in_one_batch(store, push, working):
    raws = push("1", "2", "3", "4", "5")
    take(working)
    moves = [
        Move("retry", raws[0], 5, b"one", failed(jid="one")),
        Move("requeue", raws[1], 0, raws[1]),
        Move("bury", raws[2], 0, b"two", failed("dead", jid="two")),
        Move("end", raws[3], 0, b"", failed("dropped", jid="one")),
    ]
    assert settle(working, *moves, acks=[raws[4]]) == b"11111"
    assert [each.number for each in store.records.read("one").attempts] == [1, 2]
    assert (store.records.read("one").place, store.records.read("two").place) == ("dropped", "dead")


def test_nothing_is_written_without_a_note(store, run):
    for verb in ("retry", "bury", "schedule", "requeue", "end"):
        run(verb, None)
    assert store.link.call("KEYS", "kiq:job:*") == []


def test_nothing_is_written_where_the_settings_say_so(store, run, settings):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"history_seconds": 0}}
    assert run("retry", failed(), 5) == b"1"
    assert store.sets.count("retry") == 1
    assert store.records.read("a") is None


@pytest.mark.parametrize("jid", ["", "x" * 129])
def test_ids_that_are_none_get_no_record(store, jid):
    assert failed(jid=jid) is records.succeeded(jid, "", "", records.Run(1.0, 1.0, "")) is None
    assert store.records.read(jid) is None


# --- once, and by its owner ---


def test_a_settle_that_is_sent_again_adds_nothing(store, push, working):
    [raw] = push("1")
    take(working)
    move = Move("retry", raw, 5, raw, failed())
    assert settle(working, move) == b"1"
    before = store.records.read("a")
    assert settle(working, move) == b"0"
    assert store.records.read("a") == before


def test_nothing_is_written_for_a_stolen_job(store, push, working):
    [raw] = push("1")
    take(working)
    working.reclaim("default", "me", [(raw, "jid", b"dead")], force=True)
    assert settle(working, Move("retry", raw, 5, raw, failed())) == b"0"
    assert store.records.read("a") is None


def test_it_is_written_on_a_full_server(store, push, working):
    [raw] = push("1")
    take(working)
    with faults.full(store.link.client):
        assert settle(working, Move("retry", raw, 5, raw, failed())) == b"1"
    assert store.records.read("a").failures == 1


def test_a_strange_value_under_its_name_keeps_no_job_from_its_place(store, push, working, members):
    raws = push("1", "2")
    take(working)
    store.link.call("SET", store.keys.job("default", "a"), "not ours")
    moves = [Move("retry", raw, 5, raw, failed()) for raw in raws]
    for _ in raws:
        with pytest.raises(StoreError):
            settle(working, *moves)
    assert settle(working, *moves) == b"00"
    assert sorted(members("retry")) == sorted(raws)
    assert working.held("me", QUEUES) == []


# --- bounds ---


def test_the_first_and_the_last_runs_are_kept(store, run):
    for number in range(1, 61):
        run("retry", failed(run=attempt(float(number), lines=(f"a.py:{number}:in `b`",))))
        kept = [1, *range(max(2, number - 24), number + 1)]
        assert [each.number for each in store.records.read("a").attempts] == kept
    assert store.records.read("a").failures == 60
    assert store.link.call("HLEN", store.keys.job("default", "a")) <= 60


def test_traces_are_kept_for_as_many_runs_as_a_job_usually_has(store, run):
    for number in range(1, 41):
        run("retry", failed(run=attempt(lines=(f"a.py:{number}:in `b`",))))
        if number == 26:
            assert all(each.backtrace for each in store.records.read("a").attempts)
    attempts = store.records.read("a").attempts
    assert attempts[0].backtrace == ("a.py:1:in `b`",)
    assert attempts[-1].backtrace == ()


def test_runs_that_failed_at_one_place_share_its_trace(store, run):
    for number in range(5):
        run("retry", failed(run=attempt(message=f"{number}")))
    names = store.link.call("HKEYS", store.keys.job("default", "a"))
    assert sum(name.startswith(b"trace:") for name in names) == 1
    assert {each.backtrace for each in store.records.read("a").attempts} == {LINES}


def test_a_record_stays_small(store, run):
    huge = "".join(random.choices("abcdefghij\u00e9\U0001f600", k=20_000))
    for number in range(40):
        lines = tuple(f"{number}{huge[place : place + 3000]}" for place in range(200))
        run("retry", failed(run=attempt(lines=lines, message=huge, error_class=huge), queue=huge))
    size = store.link.call("MEMORY", "USAGE", store.keys.job("default", "a"), "SAMPLES", 0)
    assert size < 1_000_000
    record = store.records.read("a")
    assert len(record.attempts) == 26
    assert max(len(each.message) for each in record.attempts) == 1000
    assert all(len(each.backtrace) <= 50 for each in record.attempts)


def test_a_typical_record_is_a_kilobyte_or_two(store, run):
    lines = tuple(
        f"/srv/shop/venv/lib/python3.12/site-packages/requests/adapters.py:{i}:in `HTTPAdapter.send{i}`"
        for i in range(25)
    )
    run("retry", failed(run=attempt(lines=lines)))
    assert store.link.call("MEMORY", "USAGE", store.keys.job("default", "a"), "SAMPLES", 0) < 2048


# --- for how long ---


def test_a_record_outlives_the_last_move_by_a_week(run, expiry):
    run("end", failed("dropped"))
    assert 7 * DAY - 5 <= expiry() <= 7 * DAY


def test_a_record_outlives_a_long_wait(run, expiry):
    run("retry", failed(), 30 * DAY)
    assert 37 * DAY - 5 <= expiry() <= 37 * DAY
    run("retry", failed(), 1_000_000_000)
    assert 187 * DAY - 5 <= expiry() <= 187 * DAY


def test_a_later_move_counts_from_then_on(run, expiry):
    run("bury", failed("dead"))
    run("end", failed("dropped"))
    assert expiry() <= 7 * DAY


def test_the_record_of_a_dead_job_stays_as_long_as_the_job(run, expiry):
    run("bury", failed("dead"))
    assert 180 * DAY - 5 <= expiry() <= 180 * DAY


@pytest.mark.parametrize(("oldest", "days"), [(1, 7), (40, 40), (400, 180)])
def test_a_full_dead_set_shows_how_long_it_keeps_a_job(settings, store, run, expiry, server_now, oldest, days):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_jobs": 3}}
    for number in range(3):
        store.sets.add("dead", b"%d" % number, server_now() - oldest * DAY + number)
    run("bury", failed("dead"))
    assert expiry() == pytest.approx(days * DAY, abs=10)


@pytest.mark.parametrize("score", [-math.inf, math.inf])
def test_scores_that_are_no_times(settings, store, run, expiry, score):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_jobs": 1}}
    store.sets.add("dead", b"odd", score)
    assert run("bury", failed("dead")) == b"1"
    assert 7 * DAY - 5 <= expiry() <= 180 * DAY


def test_dead_jobs_that_are_soon_forgotten(settings, run, expiry):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_seconds": 60}}
    assert conf.get().limits.dead_seconds == 60
    run("bury", failed("dead"))
    assert 0 < expiry() <= 60


# --- reading ---


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"place": "moon"},
        {"result": "1"},
        {"place": b"\xff"},
    ],
)
def test_what_tells_of_no_place_is_no_record(store, fields):
    for name, value in fields.items():
        store.link.call("HSET", store.keys.job("", "a"), name, value)
    assert store.records.read("a") is None


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"7", b"\xff", b'{"started_at":"x","seconds":NaN,"trace":{}}', b"[" * 9999]
)
def test_what_cannot_be_read_is_empty(store, value):
    key = store.keys.job("", "a")
    fields = (
        "score",
        "at",
        "failures",
        "name",
        "run:1",
        "run:x",
        "run:",
        "run:99999999999999999999",
        "end",
        "trace:{}",
    )
    store.link.call("HSET", key, "place", "done", *[part for name in fields for part in (name, value)])
    record = store.records.read("a")
    assert [each.number for each in record.attempts] == [1]
    assert record.attempts[0].backtrace == ()
    assert record.end.started_at == 0.0


def test_a_bomb_does_not_go_off(store):
    bomb = zlib.compress(b'["' + b"x" * 10_000_000 + b'"]')
    store.link.call("HSET", store.keys.job("", "a"), "place", "done", "run:1", b'{"trace":"t"}', "trace:t", bomb)
    assert store.records.read("a").attempts[0].backtrace == ()
