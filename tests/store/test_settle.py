"""Off the working list: what becomes of a job is written in the same step, and for its owner alone."""

import pytest

from kiq_django import conf
from kiq_django import store as stores
from kiq_django.exceptions import StoreError
from kiq_django.store.working import Batch, Move
from tests.store.conftest import QUEUES, settle, take

STRANGE = [b"\xff\xfe\x00 no text", b"", b'{"n":12345678901234567890,"args":[]}', bytes(range(256)), b"a\r\nb"]
"""What a script that looked into payloads would spoil."""


@pytest.fixture
def hold(store, working):
    """Reserve these bytes, whatever they are."""

    def held(*raws, queue="default"):
        store.link.call("LPUSH", store.keys.queue(queue), *raws)
        assert take(working, queues=[queue]) == list(raws)
        return raws

    return held


@pytest.fixture
def everything(store, waiting, members):
    """Where each payload is, apart from the working list."""

    def look():
        return {"queue": waiting(), **{name: members(name) for name in ("retry", "dead", "schedule")}}

    return look


NOWHERE = {"queue": [], "retry": [], "dead": [], "schedule": []}


# --- what becomes of a job ---


def test_an_acknowledged_job_is_gone(working, hold, everything):
    hold(b"a", b"b")
    assert settle(working, acks=[b"a"]) == b"1"
    assert working.held("me", QUEUES) == [("default", b"b")]
    assert everything() == NOWHERE


@pytest.mark.parametrize(("verb", "place"), [("retry", "retry"), ("schedule", "schedule"), ("bury", "dead")])
def test_a_job_that_goes_to_a_set(working, hold, everything, store, server_now, verb, place):
    hold(b"a")
    before = server_now()
    assert settle(working, Move(verb, b"a", 60, b"new")) == b"1"
    assert everything() == {**NOWHERE, place: [b"new"]}
    [(_, score)] = store.sets.page(place, 0, 1)
    assert before + 59.9 <= score <= server_now() + 60.1
    assert working.held("me", QUEUES) == []


def test_a_fraction_of_a_second_counts(working, hold, store, server_now):
    hold(b"a")
    settle(working, Move("retry", b"a", 1e-05, b"a"))
    [(_, score)] = store.sets.page("retry", 0, 1)
    assert server_now() - 5 < score < server_now() + 0.001


def test_a_job_that_is_put_back_is_the_next(working, hold, push, waiting):
    hold(b"a")
    [b] = push("b")
    settle(working, Move("requeue", b"a", 0, b"a"))
    assert waiting() == [b"a", b]


def test_jobs_that_are_put_back_newest_first_stand_in_their_old_order(working, hold, waiting):
    raws = hold(b"a", b"b", b"c")
    settle(working, *[Move("requeue", raw, 0, raw) for raw in reversed(raws)])
    assert waiting() == list(raws)


@pytest.mark.parametrize("raw", STRANGE)
@pytest.mark.parametrize("verb", ["ack", "retry", "bury", "schedule", "requeue"])
def test_bytes_are_not_touched(working, hold, everything, verb, raw):
    hold(raw)
    moves = [] if verb == "ack" else [Move(verb, raw, 0, raw)]
    assert settle(working, *moves, acks=[raw] * (verb == "ack")) == b"1"
    assert [each for place in everything().values() for each in place] == [raw] * (verb != "ack")
    assert working.held("me", QUEUES) == []


def test_one_of_two_equal_jobs(working, hold, everything):
    hold(b"a", b"a")
    assert settle(working, Move("retry", b"a", 0, b"n"), acks=[b"a"]) == b"11"
    assert settle(working, acks=[b"a"]) == b"0"
    assert everything() == {**NOWHERE, "retry": [b"n"]}


def test_answers_come_in_the_order_of_the_jobs(working, hold):
    hold(b"a", b"b", b"c")
    moves = [Move("retry", b"gone", 0, b"x"), Move("bury", b"c", 0, b"c")]
    assert settle(working, *moves, acks=[b"a", b"gone", b"b"]) == b"10101"


# --- whose job it is ---


@pytest.mark.parametrize("verb", ["retry", "bury", "schedule", "requeue"])
def test_nothing_is_written_for_a_stolen_job(working, hold, everything, verb):
    hold(b"a")
    working.reclaim("default", "me", [(b"a", "jid", b"dead")], force=True)
    before = everything()
    assert settle(working, Move(verb, b"a", 0, b"new")) == b"0"
    assert everything() == before


def test_the_others_of_a_batch_do_not_suffer(working, hold, everything):
    hold(b"a", b"b")
    working.reclaim("default", "me", [(b"a", "jid", b"dead")], force=True)
    assert settle(working, Move("retry", b"b", 0, b"b"), acks=[b"a"]) == b"01"
    assert everything() == {**NOWHERE, "queue": [b"a"], "retry": [b"b"]}


def test_nobody_settles_the_job_of_another(working, hold):
    hold(b"a")
    assert settle(working, acks=[b"a"], owner="other") == b"0"
    assert working.held("me", QUEUES) == [("default", b"a")]


def test_a_settle_that_is_sent_again_changes_nothing(working, hold, everything):
    hold(b"a", b"b")
    moves = [Move("requeue", b"a", 0, b"a"), Move("retry", b"b", 0, b"b")]
    assert settle(working, *moves) == b"11"
    before = everything()
    assert settle(working, *moves) == b"00"
    assert everything() == before


def test_batches_and_a_reservation_in_one_turn(working, hold, push):
    hold(b"a")
    hold(b"b", queue="other")
    [c] = push("c")
    answer = working.turn([Batch("me", "default", [b"a"]), Batch("me", "other", [b"x", b"b"])], "me", QUEUES, 1)
    assert answer.settled == [b"1", b"01"]
    assert answer.taken == [("default", c)]


def test_what_is_put_back_can_be_taken_in_the_same_turn(working, hold):
    hold(b"a")
    answer = working.turn([Batch("me", "default", [], [Move("requeue", b"a", 0, b"a")])], "me", QUEUES, 1)
    assert answer.taken == [("default", b"a")]


@pytest.mark.parametrize(
    ("verb", "key"), [("retry", "retry"), ("bury", "dead"), ("schedule", "schedule"), ("requeue", "queue:default")]
)
def test_what_cannot_go_where_it_shall_stays_reserved(working, hold, redis_call, verb, key):
    """For lack of a list or a set: some other program's key has its name."""
    hold(b"a")
    redis_call("SET", key, "of another type")
    with pytest.raises(StoreError):
        settle(working, Move(verb, b"a", 0, b"a"))
    assert working.held("me", QUEUES) == [("default", b"a")]


# --- the dead set ---


def test_the_dead_are_not_kept_for_ever(settings, store, hold, members):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_seconds": 60}}
    assert conf.get().limits.dead_seconds == 60
    store.sets.add("dead", b"ancient", 1)
    hold(b"a")
    settle(stores.get().working, Move("bury", b"a", 0, b"a"))
    assert members("dead") == [b"a"]


def test_only_a_burial_clears_the_dead_set(settings, store, hold, members):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_seconds": 60}}
    store.sets.add("dead", b"ancient", 1)
    hold(b"a")
    settle(stores.get().working, Move("retry", b"a", 0, b"a"))
    assert members("dead") == [b"ancient"]
