"""From the queue onto a working list: order, room, and who may take nothing."""

import pytest

from tests.store.conftest import QUEUES, take


def turn(working, queues=QUEUES, room=10, owner="me"):
    return working.turn([], owner, queues, room)


# --- order and room ---


def test_the_oldest_runs_first(working, push, waiting):
    a, b, c = push("a", "b", "c")
    assert take(working, room=2) == [a, b]
    assert waiting() == [c]
    assert working.held("me", QUEUES) == [("default", a), ("default", b)]


def test_what_is_held_stays_in_order_over_several_turns(working, push):
    raws = push("a", "b", "c", "d")
    take(working, room=2)
    turn(working, room=2)
    assert [raw for _, raw in working.held("me", QUEUES)] == raws


@pytest.mark.parametrize(
    ("order", "room", "jids"),
    [
        (["first", "second"], 1, ["a"]),
        (["first", "second"], 3, ["a", "b", "c"]),
        (["second", "first"], 3, ["c", "d", "a"]),
        (["first", "second"], 9, ["a", "b", "c", "d"]),
        (["nothing", "second"], 9, ["c", "d"]),
    ],
)
def test_room_is_filled_queue_by_queue(working, push, payload, order, room, jids):
    push("a", "b", queue="first")
    push("c", "d", queue="second")
    working.register("me", order, 30)
    taken = turn(working, order, room).taken
    assert taken == [(queue, payload(jid, queue=queue)) for jid in jids for queue in [where(jid)]]


def where(jid):
    return "first" if jid in "ab" else "second"


def test_no_room_takes_nothing_and_still_tells(working, push, store):
    [raw] = push("a")
    store.queues.pause("other", {})
    working.register("me", ["default", "other"], 30)
    answer = turn(working, ["default", "other"], 0)
    assert (answer.taken, answer.paused, answer.reaped) == ([], {"other"}, False)
    assert store.queues.page("default", 0, 9) == [raw]


def test_a_room_of_hundreds(working, push):
    raws = push(*map(str, range(700)))
    assert take(working, room=600) == raws[:600]


def test_bytes_arrive_as_they_are(working, store):
    raw = bytes(range(256))
    store.link.call("LPUSH", store.keys.queue("default"), raw)
    assert take(working) == [raw]


def test_equal_bytes_are_several_jobs(working, push):
    [raw] = push("a")
    push("a")
    assert take(working) == [raw, raw]


# --- nothing is taken ---


def test_from_a_paused_queue(working, push, store):
    push("a")
    [b] = push("b", queue="open")
    store.queues.pause("default", {})
    working.register("me", ["default", "open"], 30)
    answer = turn(working, ["default", "open"])
    assert (answer.taken, answer.paused) == ([("open", b)], {"default"})


def test_by_who_is_not_registered(working, push, waiting):
    raws = push("a")
    assert turn(working).reaped
    assert waiting() == raws


def test_by_who_was_reaped(working, push, waiting):
    raws = push("a")
    working.register("me", QUEUES, 30)
    working.reclaim("default", "me", [], force=True)
    assert turn(working).reaped
    assert waiting() == raws


def test_by_who_was_reaped_not_even_from_a_paused_queue(working, store):
    store.queues.pause("default", {})
    assert turn(working).reaped


def test_by_who_was_reaped_on_one_of_two_queues(working, push):
    push("a", queue="one")
    [b] = push("b", queue="two")
    working.register("me", ["one", "two"], 30)
    working.reclaim("one", "me", [], force=True)
    answer = turn(working, ["one", "two"])
    assert (answer.taken, answer.reaped) == ([("two", b)], True)


def test_while_the_lease_has_run_out_but_nobody_has_come_it_goes_on(working, push):
    raws = push("a")
    working.register("me", QUEUES, 0)
    assert [raw for _, raw in turn(working).taken] == raws
