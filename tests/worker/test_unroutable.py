"""Jobs that nobody here declares are parked, and released to whoever does."""

import pytest

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.payload import PARKED, Payload
from kiq_django.store.queues import Entry
from kiq_django.worker import unroutable
from kiq_django.worker.reservation import Reservation
from tests.support import wait_for
from tests.worker.conftest import encoded


@pytest.fixture(autouse=True)
def _nothing_to_tell():
    unroutable._parked.clear()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(unroutable, "EVERY", 0.05)


def parked_in(store):
    return [Payload.decode(raw) for raw, _ in store.sets.page("retry", 0, 1000)]


def test_a_job_of_the_next_release_waits_and_spends_nothing(start, push, store):
    push("next", 1, retry=0)
    start()
    [payload] = wait_for(lambda: parked_in(store))
    document = payload.document
    assert document["error_class"] == "kiq_django.exceptions.UnknownJob"
    assert "'next'" in document["error_message"]
    assert "It is parked" in document["error_message"]
    assert (document["retry_count"], document["retry"]) == (0, 0)
    wait_for(lambda: store.unroutable.names(["default"]) == [("default", "next")])
    assert store.counters.totals() == (0, 0)
    assert store.sets.count("dead") == 0


def test_who_declares_it_runs_it_at_once(start, declare, push, store, done):
    for number in range(150):
        push("next", number)
    push("never", 0)
    start()
    wait_for(lambda: store.sets.count("retry") == 151)
    wait_for(lambda: len(store.unroutable.names(["default"])) == 2)
    declare(done.append, name="next")
    wait_for(lambda: len(done) == 150)
    assert sorted(done) == list(range(150))
    assert [payload.name for payload in parked_in(store)] == ["never"]


def test_who_does_not_serve_the_queue_leaves_it_alone(start, declare, push, store):
    push("next", 1, queue="other")
    first = start(queues={"other": 0})
    wait_for(lambda: store.unroutable.names(["other"]))
    first.stop(5)
    declare(print, name="next")
    second = start(queues={"default": 0})
    wait_for(lambda: second.unroutable.ticks > 3)
    assert store.unroutable.names(["other"])
    assert len(parked_in(store)) == 1


def test_a_release_that_is_cut_off_is_begun_anew(start, declare, push, store, monkeypatch):
    push("next", 1)
    worker = start()
    wait_for(lambda: store.unroutable.names(["default"]) == [("default", "next")])
    worker.stop(5)
    declare(print, name="next")
    service = unroutable.Unroutable(store, ["default"])
    with monkeypatch.context() as patch:
        patch.setattr("kiq_django.worker.unparking.release", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            service.tick()
    service.tick()
    assert parked_in(store) == []
    assert store.queues.sizes(["default"]) == {"default": 1}


def test_a_queue_of_several_lists(start, declare, store, done, settings):
    settings.KIQ = {**settings.KIQ, "QUEUES": {"bulk": {"weight": 1, "partitions": 2}}}
    stores.get().queues.push([Entry("bulk", encoded("next", number, queue="bulk")) for number in range(6)])
    start(queues={"bulk": 1})
    wait_for(lambda: store.sets.count("retry") == 6)
    assert {payload.queue for payload in parked_in(store)} == {"bulk"}
    declare(done.append, name="next")
    wait_for(lambda: sorted(done) == list(range(6)))


def test_released_it_is_what_it_was(store):
    before = Payload.new("next", [1], {}, queue="default", retry=3, now=1.5)
    failed = before.evolve(retry_count=2, failed_at=2.5, error_class="E", error_message="m", retried_at=3.5)
    for payload in (before, failed):
        reservation = Reservation("o", "default", payload.encode())
        unroutable.park(reservation, Payload.decode(payload.encode()))
        parked = Payload.decode(reservation.move.new)
        assert parked.document[PARKED]["times"] == 1
        restored = unroutable.unparked(parked)
        assert restored.retry_count == payload.retry_count
        assert restored.failed_at == payload.failed_at
        assert PARKED not in restored.document
    assert unroutable.unparked(before) is before


def test_a_job_that_fails_after_all_has_failed_once(start, declare, push, store):
    """Promoted by Ruby, or by a release that does not know of parking, it still carries the mark."""

    def fail():
        raise ValueError

    declare(fail)
    note = {"since": 1.0, "times": 3, "retry_count": None}
    fields = {"retry_count": 0, "failed_at": 1.0, "error_class": unroutable.UNKNOWN, "error_message": "unknown"}
    push("fail", **{PARKED: note}, **fields)
    start()
    [payload] = wait_for(lambda: parked_in(store))
    assert (payload.retry_count, payload.document["error_class"]) == (0, "ValueError")
    assert PARKED not in payload.document


@pytest.mark.parametrize(
    "note", [5, None, {}, {"since": "x"}, {"since": 1.0, "times": "y"}, {"since": 1.0, "times": 9e9}]
)
def test_an_odd_mark_does_no_harm(note):
    reservation = Reservation("o", "default", encoded("next", **{PARKED: note}))
    unroutable.park(reservation, Payload.decode(reservation.raw))
    assert reservation.move.verb in ("retry", "bury")
    unroutable.unparked(Payload.decode(reservation.move.new))


def test_it_is_looked_at_more_and_more_rarely_and_in_the_end_no_more():
    delays = []
    raw = encoded("next")
    for _ in range(12):
        reservation = Reservation("o", "default", raw)
        unroutable.park(reservation, Payload.decode(raw))
        delays.append(reservation.move.delay)
        raw = reservation.move.new
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (30.0, 3600.0)
    old = {"since": clock.now() - 31 * 86_400, "times": 1, "retry_count": None}
    reservation = Reservation("o", "default", encoded("next", **{PARKED: old}))
    unroutable.park(reservation, Payload.decode(reservation.raw))
    assert reservation.move.verb == "bury"


def test_the_index_is_bounded(store):
    store.unroutable.note([("default", f"name {number}") for number in range(900)])
    store.unroutable.note([("default", f"other {number}") for number in range(200)])
    store.unroutable.note([("default", "\ud800")])
    assert 1000 <= len(store.unroutable.names(["default"])) <= 1101
    assert store.unroutable.claim("default", "name 1")
    assert not store.unroutable.claim("default", "name 1")
