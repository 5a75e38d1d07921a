"""Figures by job and minute, in the keys of Sidekiq 7 and Sidekiq 8."""

from datetime import UTC, datetime, timedelta

import pytest

from kiq_django import histogram
from kiq_django.api import Metrics
from kiq_django.store.counters import JobMetrics

NOW = datetime(2026, 2, 3, 4, 5, 30, tzinfo=UTC)


def counted(run_ms=(), wait_ms=(), failures=0):
    seen = JobMetrics(runs=len(run_ms) + failures, failures=failures, run_ms=sum(run_ms))
    for ms in run_ms:
        histogram.add(seen.run, ms)
    for ms in wait_ms:
        histogram.add(seen.wait, ms)
    return seen


@pytest.fixture
def add(store):
    def add(name, seen, minutes_ago=0):
        store.counters.add_metrics({name: seen}, (NOW - timedelta(minutes=minutes_ago)).timestamp())

    return add


@pytest.fixture
def metrics():
    return Metrics(now=NOW.timestamp())


def test_keys_are_sidekiqs(store, add):
    add("P", counted([10, 10_000_000], [5]))
    keys = {key.decode() for key in store.link.call("KEYS", "*")}
    assert keys == {"j|20260203|4:5", "P-03-04:5", "j|260203|4:05", "j|260203|4:0", "h|P-3-4:5", "kiq:w|P-3-4:5"}
    assert store.link.call("HGETALL", "j|260203|4:05") == {b"P|p": b"2", b"P|ms": b"10000010"}
    read = store.link.call("BITFIELD", "h|P-3-4:5", "GET", "u16", "#0", "GET", "u16", "#25")
    assert read == [1, 1]


def test_sums_and_series(add, metrics):
    add("a", counted([10, 30.4], [1], failures=1))
    add("a", counted([100]), minutes_ago=2)
    add("b", counted([5000]))
    job = metrics.for_job("a")
    assert (job.name, job.runs, job.failures, job.successes, job.total_ms) == ("a", 4, 1, 3, 140)
    assert job.average_ms == pytest.approx(140 / 3)
    minute = NOW.replace(second=0)
    assert {moment: figures.runs for moment, figures in job.series.items()} == {
        minute - timedelta(minutes=2): 1,
        minute: 3,
    }
    assert [found.name for found in metrics.top_jobs()] == ["b", "a"]
    assert [found.name for found in metrics.top_jobs(limit=1)] == ["b"]


def test_percentiles(add, metrics):
    add("a", counted([10] * 90 + [400] * 10, [25] * 100))
    add("a", counted([10] * 90 + [400] * 10), minutes_ago=30)
    for job in (metrics.for_job("a"), *metrics.top_jobs()):
        assert 0 < job.run_time(0.5) < 20
        assert 335 < job.run_time(0.95) < 500
        assert 20 < job.queue_wait(0.5) < 30
        assert sum(job.run) == 200
    assert sum(metrics.for_job("a").series[NOW.replace(second=0)].run) == 100


def test_older_than_asked_does_not_count(add, metrics):
    add("a", counted([10]), minutes_ago=60)
    assert metrics.for_job("a", 60).runs == 0
    assert metrics.for_job("a", 61).runs == 1


def test_an_unknown_job_has_figures_of_nothing(metrics):
    job = metrics.for_job("nobody")
    assert (job.runs, job.average_ms, job.run_time(0.5), job.queue_wait(0.5), job.series) == (0, None, None, None, {})
    assert metrics.top_jobs() == []


def test_days_back_by_ten_minutes_without_percentiles(add, metrics):
    add("a", counted([10]), minutes_ago=40 * 60)
    add("a", counted([10]), minutes_ago=40 * 60 + 1)
    assert metrics.top_jobs(480) == []
    (job,) = metrics.top_jobs(72 * 60)
    assert (job.runs, job.run_time(0.5)) == (2, None)
    assert len(job.series) == 1
    assert next(iter(job.series)).minute % 10 == 0


@pytest.mark.parametrize("minutes", [0, -5, 4321])
def test_what_is_not_kept(metrics, minutes):
    with pytest.raises(ValueError, match="1 to 4320"):
        metrics.top_jobs(minutes)


def test_reads_what_sidekiq_7_or_8_alone_wrote(store, metrics):
    bucket = ("OVERFLOW", "SAT", "INCRBY", "u16", "#3", 1)
    store.link.call("HSET", "j|20260203|4:5", "Seven|p", 1, "Seven|ms", 50)
    store.link.call("BITFIELD", "Seven-03-04:5", *bucket)
    store.link.call("HSET", "j|260203|4:05", "Eight|p", 1, "Eight|ms", 50, "Odd|Name|p", "x")
    store.link.call("BITFIELD", "h|Eight-3-4:5", *bucket)
    for name in ("Seven", "Eight"):
        job = metrics.for_job(name)
        assert (job.runs, job.total_ms, sum(job.run)) == (1, 50, 1)
        assert 45 < job.run_time(0.5) <= 65
    assert metrics.for_job("Odd|Name").runs == 0


def test_counters_saturate(store, add, metrics):
    seen = counted([10])
    seen.run[0] = 70_000
    add("a", seen)
    assert metrics.for_job("a").run[0] == 65_535


def test_the_open_bucket_counts(add, metrics):
    add("a", counted([10_000_000], [10_000_000]))
    job = metrics.for_job("a")
    assert job.run_time(0.99) == job.queue_wait(0.99) == 335_000


def test_merge_of_counts():
    one, two = counted([10], [10], failures=1), counted([400], [20])
    one.merge(two)
    assert (one.runs, one.failures, one.run_ms, sum(one.run), sum(one.wait)) == (3, 1, 410, 2, 2)


def test_marks(store, metrics):
    store.deploys.mark("v1", (NOW - timedelta(hours=30)).timestamp())
    store.deploys.mark("v2", (NOW - timedelta(minutes=10)).timestamp())
    store.deploys.mark("again", (NOW - timedelta(minutes=10)).timestamp())
    assert metrics.marks(60) == {NOW.replace(second=0) - timedelta(minutes=10): "v2"}
    assert list(metrics.marks(72 * 60).values()) == ["v1", "v2"]
