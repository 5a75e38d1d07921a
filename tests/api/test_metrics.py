"""Figures by job over one hour to three days, in our keys and in those of Sidekiq 7 and Sidekiq 8."""

from datetime import UTC, datetime, timedelta

import pytest

from kiq_django import histogram
from kiq_django.api import Metrics
from kiq_django.api.figures import COLUMNS, Figures, JobFigures, arranged
from kiq_django.api.metrics import PERIODS
from kiq_django.api.periods import Period
from kiq_django.store.metrics import JobMetrics
from kiq_django.store.steps import HOUR, MINUTE, TEN_MINUTES

NOW = datetime(2026, 2, 3, 4, 5, 30, tzinfo=UTC)
EPOCH = NOW.timestamp()


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
        store.ledger.write({name: seen}, (NOW - timedelta(minutes=minutes_ago)).timestamp())

    return add


@pytest.fixture
def metrics():
    return Metrics(now=EPOCH)


# --- writing ---


def test_keys_are_sidekiqs(store, add):
    add("P", counted([10, 10_000_000], [5]))
    keys = {key.decode() for key in store.link.call("KEYS", "*") if not key.startswith(b"kiq:")}
    assert keys == {"j|20260203|4:5", "P-03-04:5", "j|260203|4:05", "j|260203|4:0", "h|P-3-4:5"}
    assert store.link.call("HGETALL", "j|260203|4:05") == {b"P|p": b"2", b"P|ms": b"10000010"}
    read = store.link.call("BITFIELD", "h|P-3-4:5", "GET", "u16", "#0", "GET", "u16", "#25")
    assert read == [1, 1]


def test_sidekiqs_counters_stop_at_their_largest_value_and_ours_go_on(store, add, metrics):
    seen = counted([10])
    seen.run[0] = 70_000
    add("a", seen)
    assert metrics.for_job("a").run[0] == 70_000
    store.link.call("DEL", "kiq:figures:202602030405:a")
    assert metrics.for_job("a").run[0] == 65_535


def test_merge_of_counts():
    one, two = counted([10], [10], failures=1), counted([400], [20])
    one.merge(two)
    assert (one.runs, one.failures, one.run_ms, sum(one.run), sum(one.wait)) == (3, 1, 410, 2, 2)


# --- one job ---


def test_sums_and_series(add, metrics):
    add("a", counted([10, 30.4], [1], failures=1))
    add("a", counted([100]), minutes_ago=2)
    add("b", counted([5000]))
    job = metrics.for_job("a")
    assert (job.name, job.runs, job.failures, job.successes, job.total_ms) == ("a", 4, 1, 3, 140)
    assert job.average_ms == pytest.approx(140 / 3)
    assert job.fail_rate == 0.25
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


@pytest.mark.parametrize("read", [lambda m, n: m.for_job("a", n).runs, lambda m, n: sum(j.runs for j in m.top_jobs(n))])
def test_older_than_asked_does_not_count(add, metrics, read):
    add("a", counted([10]), minutes_ago=60)
    assert read(metrics, 60) == 0
    assert read(metrics, 61) == 1


def test_an_unknown_job_has_figures_of_nothing(metrics):
    job = metrics.for_job("nobody")
    assert (job.runs, job.average_ms, job.run_time(0.5), job.queue_wait(0.5), job.series) == (0, None, None, None, {})
    assert (job.fail_rate, len(job.moments)) == (None, 60)
    assert metrics.top_jobs() == []


@pytest.mark.parametrize(
    ("minutes", "step", "columns"),
    [(60, 60, 60), (72, 60, 72), (73, 600, 8), (480, 600, 48), (1_440, 3_600, 24), (4_320, 3_600, 72)],
)
def test_steps(metrics, minutes, step, columns):
    job = metrics.for_job("a", minutes)
    assert (job.step, len(job.moments), len(job.heat_map().columns)) == (step, columns, columns)
    assert job.moments[-1] <= NOW < job.moments[-1] + timedelta(seconds=step)


def test_a_job_whose_name_sidekiqs_keys_cannot_hold(add, metrics):
    add("a|b/c", counted([10]))
    assert metrics.for_job("a|b/c").runs == metrics.for_job("a:b:c").runs == 1


def test_the_heat_map_has_every_step(add, metrics):
    add("a", counted([10, 10, 400], [25]))
    add("a", counted([10_000_000]), minutes_ago=59)
    heat = metrics.for_job("a").heat_map()
    assert heat.bounds_ms == histogram.BOUNDS_MS
    assert [moment for moment, _ in heat.columns] == [
        NOW.replace(second=0) - timedelta(minutes=back) for back in range(59, -1, -1)
    ]
    assert [(i, j, n) for i, (_, counts) in enumerate(heat.columns) for j, n in enumerate(counts) if n] == [
        (0, 25, 1),
        (59, 0, 2),
        (59, 8, 1),
    ]
    assert heat.most == 2
    assert metrics.for_job("a").heat_map("wait").most == 1
    assert metrics.for_job("nobody").heat_map().most == 0


def test_the_open_bucket_counts(add, metrics):
    add("a", counted([10_000_000], [10_000_000]))
    job = metrics.for_job("a")
    assert job.run_time(0.99) == job.queue_wait(0.99) == 335_000


# --- long periods ---


def test_percentiles_of_days(add, metrics):
    add("a", counted([10] * 9 + [400], [25] * 10), minutes_ago=40 * 60)
    add("a", counted([10]), minutes_ago=40 * 60 + 1)
    assert metrics.top_jobs(480) == []
    (row,) = metrics.top_jobs(72 * 60)
    job = metrics.for_job("a", 72 * 60)
    for found in (row, job):
        assert (found.runs, sum(found.run), sum(found.wait)) == (11, 11, 10)
        assert 335 < found.run_time(0.95) < 500
    assert list(job.series) == [NOW.replace(hour=12, minute=0, second=0) - timedelta(days=2)]


@pytest.mark.parametrize("minutes", PERIODS.values())
def test_the_row_of_a_table_and_the_page_of_a_job_say_the_same(add, metrics, minutes):
    for ago in (0, 1, 7, 33, 59, 60, 61, 64, 130, 474, 479, 480, 485, 900, 1_400, 1_439, 1_441, 4_000, 4_319, 4_321):
        add("a", counted([ago], [ago], failures=1), minutes_ago=ago)
    (row,), job = metrics.top_jobs(minutes), metrics.for_job("a", minutes)
    told = [(each.runs, each.failures, each.total_ms, each.run, each.wait) for each in (row, job)]
    assert told[0] == told[1]
    assert job.runs == sum(figures.runs for figures in job.series.values())


@pytest.mark.parametrize("minutes", [0, -5, 4321])
def test_what_is_not_kept(metrics, minutes):
    with pytest.raises(ValueError, match="1 to 4320"):
        metrics.top_jobs(minutes)


@pytest.mark.parametrize("minutes", [2, 59, 60, 72, 73, 480, 720, 721, 1_440, 4_320])
@pytest.mark.parametrize("second", [0, 59, 3_599, 3_600, 7_777, 86_399])
def test_steps_cover_a_period_once(minutes, second):
    now = 1_770_076_800.0 + second
    period = Period.last(minutes, now)
    for begin, cover in ((period.begin, period.cover()), (period.begin - period.length, period.cover_before())):
        for step, at in cover:
            assert at == begin
            assert at % step.seconds == 0
            begin = at + step.seconds
    step, at = period.cover()[-1]
    assert at <= now < at + step.seconds
    last, at = period.cover_before()[-1]
    assert at + last.seconds <= period.begin
    assert abs(at + last.seconds - (now - period.length)) <= {MINUTE: 30, TEN_MINUTES: 300, HOUR: 1_800}[last]
    assert len(period.cover()) <= 80


# --- the time before ---


@pytest.mark.parametrize("minutes", PERIODS.values())
def test_comparison_with_the_time_before(add, metrics, minutes):
    add("a", counted([10] * 3, failures=1))
    add("a", counted([10, 400], [20]), minutes_ago=minutes + 50)
    add("a", counted([10] * 9), minutes_ago=2 * minutes + 65)
    add("b", counted([10]), minutes_ago=minutes + 50)
    for job in (metrics.for_job("a", minutes, compare=True), *metrics.table(minutes, compare=True).rows):
        assert (job.runs, job.failures) == (4, 1)
        assert job.before == Figures(runs=2, total_ms=410, run=counted([10, 400]).run, wait=counted([], [20]).wait)
        assert 335 < job.before.run_time(0.95) < 500
    assert metrics.for_job("a", minutes).before is None
    assert metrics.for_job("nobody", minutes, compare=True).before == Figures(run=[0] * 26, wait=[0] * 26)


def test_the_time_before_ends_as_far_into_its_step(add, metrics):
    """At 04:05:30 an hour before is over at 03:05:30, and a day before at 04:10."""
    for ago in (60, 61, 24 * 60 - 10, 24 * 60 + 10):
        add("a", counted([10]), minutes_ago=ago)
    assert metrics.for_job("a", 60, compare=True).before.runs == 2
    assert metrics.for_job("a", 24 * 60, compare=True).before.runs == 1


# --- the table ---


@pytest.fixture
def three(add):
    add("slow", counted([9_000], [5], failures=1))
    add("often", counted([10] * 30, [400] * 30))
    add("broken", counted(failures=3))


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("total", ["slow", "often", "broken"]),
        ("name", ["slow", "often", "broken"]),
        ("runs", ["often", "broken", "slow"]),
        ("failures", ["broken", "slow", "often"]),
        ("fail_rate", ["broken", "slow", "often"]),
        ("average", ["slow", "often", "broken"]),
        ("p50", ["slow", "often", "broken"]),
        ("p95", ["slow", "often", "broken"]),
        ("p99", ["slow", "often", "broken"]),
        ("wait_p50", ["often", "slow", "broken"]),
        ("wait_p95", ["often", "slow", "broken"]),
    ],
)
@pytest.mark.usefixtures("three")
def test_sorted_by_any_column(metrics, sort, names):
    assert [job.name for job in metrics.table(sort=sort).rows] == names
    other_way = [job.name for job in metrics.table(sort=sort, descending=False).rows]
    is_unknown = COLUMNS[sort](metrics.for_job("broken")) is None
    assert other_way == ([*names[1::-1], "broken"] if is_unknown else names[::-1])


@pytest.mark.usefixtures("three")
def test_pages(metrics):
    pages = [metrics.table(offset=offset, limit=2) for offset in (0, 2, 4)]
    assert [[job.name for job in page.rows] for page in pages] == [["slow", "often"], ["broken"], []]
    assert {(page.count, page.left_out, page.begin, page.end) for page in pages} == {
        (3, 0, NOW.replace(hour=3, minute=6, second=0), NOW)
    }


def test_no_such_column(metrics):
    with pytest.raises(ValueError, match="'size': sort by one of name, runs"):
        metrics.table(sort="size")


def test_equal_values_stand_by_runs_and_name():
    jobs = [JobFigures(name=name, runs=runs) for name, runs in (("b", 1), ("a", 1), ("c", 2))]
    assert [job.name for job in arranged(jobs, "total", descending=True)] == ["c", "a", "b"]


def test_a_table_has_a_bound_and_says_so(store, metrics, monkeypatch):
    monkeypatch.setattr("kiq_django.api.metrics.MOST_JOBS", 3)
    store.ledger.write({f"job{i}": JobMetrics(runs=1 + i, run_ms=1) for i in range(5)}, EPOCH)
    table = metrics.table()
    assert ({job.name for job in table.rows}, table.count, table.left_out) == ({"job2", "job3", "job4"}, 3, 2)


def test_few_round_trips(store, three, beat, monkeypatch):
    beat()
    trips = []
    execute = store.link.execute
    monkeypatch.setattr(store.link, "execute", lambda pipe, **how: trips.append(pipe) or execute(pipe, **how))
    monkeypatch.setattr(store.link, "call", None)
    assert Metrics(store, now=EPOCH).table(72 * 60, compare=True).count == 3
    assert len(trips) <= 6


# --- Ruby ---


@pytest.fixture
def ruby_ran(store):
    """What workers of Sidekiq 7 and Sidekiq 8 leave, nobody else being there."""
    bucket = ("OVERFLOW", "SAT", "INCRBY", "u16", "#3", 1)
    store.link.call("HSET", "j|20260203|4:5", "Seven|p", 1, "Seven|ms", 50)
    store.link.call("BITFIELD", "Seven-03-04:5", *bucket)
    store.link.call("HSET", "j|260203|4:05", "Eight|p", 1, "Eight|ms", 50, "Odd|Name|p", "x")
    store.link.call("BITFIELD", "h|Eight-3-4:5", *bucket)
    store.link.call("HSET", "j|260203|4:0", "Eight|p", 1, "Eight|ms", 50, "Shared|p", 5, "Shared|ms", 90)


@pytest.mark.usefixtures("ruby_ran")
@pytest.mark.parametrize("minutes", [60, 480])
def test_reads_what_sidekiq_7_or_8_alone_wrote(metrics, minutes):
    for name in ("Seven", "Eight"):
        job = metrics.for_job(name, minutes)
        assert (job.runs, job.total_ms, sum(job.run)) == (1, 50, 1)
        assert 45 < job.run_time(0.5) <= 65
    assert metrics.for_job("Odd|Name").runs == 0
    assert {job.name: (job.runs, sum(job.run)) for job in metrics.top_jobs(minutes)} == {
        "Seven": (1, 1),
        "Eight": (1, 1),
    }


@pytest.mark.usefixtures("ruby_ran")
def test_days_of_sidekiq_8_are_without_percentiles(metrics):
    (job,) = [job for job in metrics.top_jobs(1_440) if job.name == "Eight"]
    assert (job.runs, job.run_time(0.5)) == (1, None)
    series = metrics.for_job("Eight", 1_440).series
    assert {moment: figures.runs for moment, figures in series.items()} == {NOW.replace(minute=0, second=0): 1}


@pytest.mark.usefixtures("ruby_ran")
@pytest.mark.parametrize("there", ["now", "before", "never"])
def test_ruby_beside_us_is_read_while_it_is_there_or_was(store, add, metrics, beat, there):
    add("ours", counted([10]))
    if there == "now":
        beat("ruby:1:x", info={"version": "7.3.10"})
    elif there == "before":
        store.others.note()
    names = {job.name for job in metrics.top_jobs()}
    assert names == ({"ours"} if there == "never" else {"ours", "Seven", "Eight"})


@pytest.mark.usefixtures("ruby_ran")
def test_a_job_that_both_run_counts_once(store, add, metrics):
    add("Shared", counted([10], [5]))
    store.others.note()
    job = metrics.for_job("Shared", 1_440)
    assert (job.runs, job.total_ms, sum(job.run), sum(job.wait)) == (6, 100, 1, 1)
    assert [each.runs for each in metrics.top_jobs(1_440) if each.name == "Shared"] == [6]


def test_marks(store, metrics):
    store.deploys.mark("v1", (NOW - timedelta(hours=30)).timestamp())
    store.deploys.mark("v2", (NOW - timedelta(minutes=10)).timestamp())
    store.deploys.mark("again", (NOW - timedelta(minutes=10)).timestamp())
    assert metrics.marks(60) == {NOW.replace(second=0) - timedelta(minutes=10): "v2"}
    assert list(metrics.marks(72 * 60).values()) == ["v1", "v2"]
