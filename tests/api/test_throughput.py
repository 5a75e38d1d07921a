"""Charts of all runs together: by minute, ten minutes, hour and day."""

from datetime import UTC, datetime, timedelta

import pytest

from kiq_django import clock
from kiq_django.api.throughput import CHARTS, throughput
from kiq_django.execution import Outcome
from kiq_django.features.metrics import Flusher, Tally
from kiq_django.payload import Payload
from kiq_django.store.metrics import JobMetrics

NOW = datetime(2026, 2, 3, 4, 5, 30, tzinfo=UTC)
EPOCH = NOW.timestamp()


@pytest.fixture
def ran(store):
    """So many runs ended so many seconds ago."""

    def ran(runs, failures=0, seconds_ago=0.0):
        at = EPOCH - seconds_ago
        store.ledger.write({"a": JobMetrics(runs=runs, failures=failures)}, at)
        store.counters.add_totals(runs, failures, at)

    return ran


def told(chart):
    """Begin, processed and failed of the points in which anything happened."""
    return [(point.begin, point.processed, point.failed) for point in chart.points if point.processed]


@pytest.mark.parametrize(
    ("period", "step", "points", "first"),
    [
        ("1h", 60, 60, datetime(2026, 2, 3, 3, 6, tzinfo=UTC)),
        ("24h", 600, 144, datetime(2026, 2, 2, 4, 10, tzinfo=UTC)),
        ("7d", 3_600, 168, datetime(2026, 1, 27, 5, tzinfo=UTC)),
        ("30d", 86_400, 30, datetime(2026, 1, 5, tzinfo=UTC)),
    ],
)
def test_steps_of_a_chart(period, step, points, first):
    chart = throughput(period, EPOCH)
    assert (chart.period, chart.step, len(chart.points), chart.points[0].begin) == (period, step, points, first)
    assert {later.begin - one.begin for one, later in zip(chart.points, chart.points[1:], strict=False)} == {
        timedelta(seconds=step)
    }
    assert [point.complete for point in chart.points] == [True] * (points - 1) + [False]
    assert (chart.processed, chart.failed, chart.processed_before, chart.change, chart.marks) == (0, 0, 0, None, {})


@pytest.mark.parametrize("period", CHARTS)
def test_the_sum_of_the_points_is_what_was_counted(store, ran, period):
    step, points = CHARTS[period]
    for number in range(points):
        ran(3, 1, seconds_ago=number * step.seconds)
    chart = throughput(period, EPOCH)
    assert {(point.processed, point.failed) for point in chart.points} == {(3, 1)}
    assert (chart.processed, chart.failed) == store.counters.totals() == (3 * points, points)


@pytest.mark.parametrize("period", CHARTS)
def test_complete_steps_are_compared_with_as_many_before(ran, period):
    step, points = CHARTS[period]
    for number in range(1, points):
        ran(3, seconds_ago=number * step.seconds)
        ran(2, 1, seconds_ago=(points - 1 + number) * step.seconds)
    ran(1000)
    ran(1000, seconds_ago=(2 * points - 1) * step.seconds)
    chart = throughput(period, EPOCH)
    assert (chart.processed_before, chart.failed_before) == (2 * (points - 1), points - 1)
    assert chart.change == pytest.approx(0.5)


def test_outcomes_that_a_worker_counts_are_all_on_the_chart(store, monkeypatch):
    """Seven minutes of work, written every five seconds, by two processes."""
    tallies = [Tally(), Tally()]
    flushers = [Flusher(store, tally) for tally in tallies]
    for beat in range(84):
        monkeypatch.setattr(clock, "now", lambda at=EPOCH + 5 * beat: at)
        for tally, flusher in zip(tallies, flushers, strict=True):
            outcomes = [
                Outcome(Payload({"class": "a", "jid": "j", "args": []}), "default", None) for _ in range(beat % 4)
            ]
            for outcome in outcomes[:1]:
                outcome.error = ValueError()
            tally.add(outcomes)
            flusher.tick()
    number = 2 * sum(beat % 4 for beat in range(84))
    for period in ("1h", "24h", "7d"):
        chart = throughput(period, EPOCH + 5 * 83)
        assert (chart.processed, chart.failed) == (number, 2 * 63)
    assert len(told(throughput("1h", EPOCH + 5 * 83))) == 8


def test_days_are_sidekiqs_with_what_ruby_ran(store):
    store.counters.add_totals(5, 2, EPOCH)
    store.counters.add_totals(7, 0, EPOCH - 86_400)
    assert told(throughput("30d", EPOCH)) == [
        (datetime(2026, 2, 2, tzinfo=UTC), 7, 0),
        (datetime(2026, 2, 3, tzinfo=UTC), 5, 2),
    ]


def test_deploys_stand_beside(store):
    for label, ago in (("old", 7_200), ("v1", 1_800), ("v2", 60)):
        store.deploys.mark(label, EPOCH - ago)
    assert list(throughput("1h", EPOCH).marks.values()) == ["v1", "v2"]
    assert list(throughput("30d", EPOCH).marks.values()) == ["old", "v1", "v2"]


def test_it_ends_now(ran, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: EPOCH)
    ran(2)
    assert throughput("1h").points[-1].processed == 2


def test_there_is_no_other_period():
    with pytest.raises(ValueError, match="'2h': use one of 1h, 24h, 7d, 30d"):
        throughput("2h")


@pytest.mark.parametrize("period", CHARTS)
def test_few_keys_in_two_round_trips(store, ran, monkeypatch, period):
    ran(1)
    sent = []
    execute = store.link.execute
    monkeypatch.setattr(store.link, "execute", lambda pipe: sent.append(len(pipe)) or execute(pipe))
    throughput(period, EPOCH, store)
    assert len(sent) == 2
    assert sum(sent) <= 45


def test_what_others_wrote_there_does_not_harm(store, ran):
    ran(1)
    store.link.call("HSET", "kiq:minutes:2026020304", "04|p", "many", "odd", "1")
    assert throughput("1h", EPOCH).processed == 1
