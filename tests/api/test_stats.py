"""Totals, sizes and history."""

from datetime import UTC, date, datetime

import pytest

from kiq_django import clock
from kiq_django.api import History, Stats


def test_all_figures(store, put, beat, running):
    store.counters.add_totals(10, 3, clock.now())
    put(enqueued_at=clock.now() - 9)
    put()
    put(queue="mail")
    for place, number in (("schedule", 1), ("retry", 2), ("dead", 3)):
        for _ in range(number):
            put(place, 60)
    beat("a:1:x", work={"t1": running()[1]})
    beat("b:1:x")
    stats = Stats()
    assert (stats.processed, stats.failed, stats.enqueued) == (10, 3, 3)
    assert (stats.scheduled_size, stats.retry_size, stats.dead_size) == (1, 2, 3)
    assert (stats.processes_size, stats.workers_size) == (2, 1)
    assert list(stats.queues.items()) == [("default", 2), ("mail", 1)]
    assert stats.default_queue_latency == pytest.approx(9, abs=3)


def test_nothing_is_zero():
    stats = Stats()
    figures = (stats.processed, stats.failed, stats.enqueued, stats.dead_size, stats.processes_size)
    assert figures == (0, 0, 0, 0, 0)
    assert (stats.queues, stats.default_queue_latency) == ({}, 0.0)


def test_dead_processes_do_not_count(store, beat):
    beat("a:1:x")
    store.link.call("DEL", store.keys.process("a:1:x"))
    assert Stats().processes_size == 0


def test_reset(store):
    store.counters.add_totals(10, 3, clock.now())
    stats = Stats()
    stats.reset("failed")
    assert (stats.processed, stats.failed) == (10, 0)
    stats.reset()
    assert (Stats().processed, Stats().failed) == (0, 0)
    assert History(1)[0].processed == 10


def test_two_round_trips(store, put, monkeypatch):
    for number in range(20):
        put(queue=f"q{number}")
    trips = []
    execute = store.link.execute
    monkeypatch.setattr(store.link, "execute", lambda pipe, **how: trips.append(pipe) or execute(pipe, **how))
    monkeypatch.setattr(store.link, "call", None)
    assert Stats(store).enqueued == 20
    assert len(trips) == 2


def test_history(store):
    moment = datetime(2026, 2, 3, 23, 59, tzinfo=UTC)
    store.counters.add_totals(5, 2, moment.timestamp())
    store.counters.add_totals(1, 0, moment.timestamp() + 120)
    history = History(3, date(2026, 2, 4))
    assert [(day.date, day.processed, day.failed) for day in history] == [
        (date(2026, 2, 4), 1, 0),
        (date(2026, 2, 3), 5, 2),
        (date(2026, 2, 2), 0, 0),
    ]
    assert history.processed[date(2026, 2, 3)] == 5
    assert history.failed[date(2026, 2, 3)] == 2
    assert len(history[:2]) == 2


def test_history_ends_today_by_utc():
    assert History(2)[0].date == datetime.now(UTC).date()


@pytest.mark.parametrize("days", [0, -1, 1826])
def test_history_that_is_not_kept(days):
    with pytest.raises(ValueError, match="1 to 1825"):
        History(days)


def test_counters_of_others_do_not_harm(store):
    store.link.call("SET", "stat:processed", "many")
    assert Stats().processed == 0
