"""What workers count, in Sidekiq's keys and ours, on a real server."""

import struct
import threading

import pytest

from kiq_django import clock, histogram, plugins, registry
from kiq_django import store as stores
from kiq_django.api.flow import queue_history
from kiq_django.api.metrics import PERIODS, Metrics
from kiq_django.api.throughput import throughput
from kiq_django.exceptions import StoreError, StoreUnavailable
from kiq_django.execution import Outcome
from kiq_django.features import metrics
from kiq_django.features.metrics import OTHER, Counted, Flusher, Measurer, Tally
from kiq_django.payload import Payload
from kiq_django.store.metrics import JobMetrics
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.launcher import Launcher
from tests.jobsapp import jobs
from tests.support import wait_for

FEBRUARY = 1_770_091_500.0
"""2026-02-03 04:05 UTC, the minute of the examples in Sidekiq's format."""
RECORD = "tests.jobsapp.jobs.record"


def ended(name=RECORD, *, elapsed=0.001, waited=0.0, error=None, queue="default", **fields):
    job = Payload({"class": name, "jid": "j", "args": [], "enqueued_at": FEBRUARY - waited, **fields})
    outcome = Outcome(job, queue, registry.find(name))
    outcome.started_at, outcome.elapsed, outcome.error = FEBRUARY, elapsed, error
    return outcome


def counted(*outcomes):
    tally = Tally()
    tally.add(outcomes)
    return tally.take(FEBRUARY).jobs


@pytest.fixture
def february(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: FEBRUARY)


@pytest.fixture
def flusher(store, february):
    return Flusher(store, Tally())


def flush(flusher, *outcomes):
    flusher._tally.add(outcomes)
    flusher.tick()


# --- counting ---


def test_runs_failures_and_times():
    runs = [ended(elapsed=0.3), ended(elapsed=0.02), ended(elapsed=9, error=ValueError())]
    counts = counted(*runs)[RECORD]
    assert (counts.runs, counts.failures) == (3, 1)
    assert counts.run_ms == pytest.approx(320)
    assert [(i, n) for i, n in enumerate(counts.run) if n] == [(1, 1), (7, 1)]


def test_the_wait_is_never_negative_and_counts_for_failures_too():
    waits = [ended(waited=-5), ended(waited=0.05), ended(waited=1e9, error=ValueError())]
    counts = counted(*waits)[RECORD]
    assert [(i, n) for i, n in enumerate(counts.wait) if n] == [(0, 1), (3, 1), (25, 1)]


@pytest.mark.parametrize(("enqueued_at", "total"), [(int(FEBRUARY * 1000) - 50, 1), (None, 0), ("soon", 0), (True, 0)])
def test_the_wait_of_other_writers_jobs(enqueued_at, total):
    counts = counted(ended(enqueued_at=enqueued_at))[RECORD]
    assert counts.runs == 1
    assert sum(counts.wait) == counts.wait[3] == total


def test_the_longest_run_has_a_bucket():
    assert counted(ended(elapsed=1e6))[RECORD].run[histogram.SIZE - 1] == 1


def test_a_job_inside_an_adapters_job_has_its_own_name():
    assert set(counted(ended(wrapped="Inner"), ended(wrapped=""), ended(wrapped=7))) == {"Inner", RECORD}


def test_strangers_are_counted_by_name_only_up_to_a_bound():
    tally = Tally()
    for number in range(10_000):
        tally.add([ended(f"stranger{number}"), ended(wrapped=f"inner{number}"), ended()])
    counts = tally.take(FEBRUARY).jobs
    assert len(counts) == metrics.MOST_STRANGERS + 2
    assert counts[RECORD].runs == 10_000
    assert sum(each.runs for each in counts.values()) == 30_000
    tally.add([ended("another"), ended("stranger0"), ended("x" * 1_000_000)])
    assert set(tally.take(FEBRUARY).jobs) == {OTHER, "stranger0"}


def test_threads_count_together():
    tally, batch = Tally(), [ended() for _ in range(100)]
    taken = []
    threads = [threading.Thread(target=lambda: [tally.add(batch) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken.append(tally.take(FEBRUARY))
    taken.append(tally.take(FEBRUARY))
    assert sum(counted.jobs[RECORD].runs for counted in taken if counted.jobs) == 20_000
    assert sum(counted.ended[FEBRUARY]["default"] for counted in taken if counted.ended) == 20_000


# --- Sidekiq's keys ---


def test_the_keys_of_sidekiq_7_and_8(store, flusher):
    flush(flusher, ended("P", elapsed=0.3), ended("P", elapsed=0.02), ended("P", error=ValueError(), waited=0.05))
    client = store.link.client
    expected = {b"P|p": b"3", b"P|f": b"1", b"P|ms": b"320"}
    histograms = {b"P-03-04:5", b"h|P-3-4:5"}
    sidekiqs = {key for key in client.keys("*") if not key.startswith(b"kiq:")}
    assert sidekiqs == {b"j|20260203|4:5", b"j|260203|4:05", b"j|260203|4:0"} | histograms
    for key, expiry in (("j|20260203|4:5", 28_800), ("j|260203|4:05", 28_800), ("j|260203|4:0", 259_200)):
        assert client.hgetall(key) == expected
        assert expiry - 10 <= client.ttl(key) <= expiry
    for key in ("P-03-04:5", "h|P-3-4:5"):
        slots = struct.unpack(">26H", client.get(key).ljust(52, b"\0"))
        assert [(i, n) for i, n in enumerate(slots) if n] == [(1, 1), (7, 1)]
        assert 28_790 <= client.ttl(key) <= 28_800


def test_flushes_add_up(store, flusher):
    for _ in range(3):
        flush(flusher, ended("P", elapsed=0.3))
    assert store.link.client.hgetall("j|20260203|4:5") == {b"P|p": b"3", b"P|ms": b"900"}


def test_nothing_counted_nothing_written(store, flusher):
    flusher.tick()
    assert store.link.client.dbsize() == 0


def test_counters_stop_at_their_largest_value(store):
    counts = JobMetrics(runs=70_000, run=[70_000] + [0] * 25)
    store.ledger.write({"P": counts}, FEBRUARY)
    assert store.link.client.get("h|P-3-4:5")[:2] == b"\xff\xff"


def test_names_that_sidekiqs_pages_cannot_read(store):
    store.ledger.write({"a|b/c": JobMetrics(runs=1), "a:b:c": JobMetrics(runs=1)}, FEBRUARY)
    assert store.link.client.hgetall("j|20260203|4:5")[b"a:b:c|p"] == b"2"


# --- our keys ---


def test_our_keys(store, flusher):
    flush(flusher, ended("P", elapsed=0.3), ended("P", elapsed=0.02), ended("P", error=ValueError(), queue="mail"))
    client = store.link.client
    ours = {key.decode(): client.ttl(key) for key in client.keys("kiq:*")}
    assert ours == {
        "kiq:figures:202602030405:P": pytest.approx(30_660, abs=10),
        "kiq:figures:20260203040:P": pytest.approx(92_400, abs=10),
        "kiq:figures:2026020304:P": pytest.approx(527_400, abs=10),
        "kiq:ran:20260203": pytest.approx(8 * 86_400, abs=10),
        "kiq:minutes:2026020304": pytest.approx(4 * 3600, abs=10),
        "kiq:ten_minutes:20260203": pytest.approx(4 * 86_400, abs=10),
        "kiq:hours:20260203": pytest.approx(40 * 86_400, abs=10),
        "kiq:flow:202602030405": pytest.approx(80 * 60, abs=10),
        "kiq:flow:20260203040": pytest.approx(9 * 3600, abs=10),
    }
    assert client.hgetall("kiq:minutes:2026020304") == {b"05|p": b"3", b"05|f": b"1"}
    assert client.hgetall("kiq:ten_minutes:20260203") == {b"040|p": b"3", b"040|f": b"1"}
    assert client.hgetall("kiq:hours:20260203") == {b"04|p": b"3", b"04|f": b"1"}
    for key in ("kiq:flow:202602030405", "kiq:flow:20260203040"):
        assert client.hgetall(key) == {b"o|default": b"2", b"o|mail": b"1"}
    assert client.zrange("kiq:ran:20260203", 0, -1, withscores=True) == [(b"P", 3.0)]


@pytest.mark.parametrize("step", ["202602030405", "20260203040", "2026020304"])
def test_the_counters_of_one_job(store, flusher, step):
    for _ in range(2):
        flush(flusher, ended("P", elapsed=0.3, waited=0.05), ended("P", elapsed=400, error=ValueError(), waited=1e9))
    text = store.link.client.get(f"kiq:figures:{step}:P")
    runs, failures, ms, *counts = struct.unpack(">IIq52I", text)
    assert (runs, failures, ms) == (4, 2, 600)
    assert [(i, n) for i, n in enumerate(counts[::2]) if n] == [(7, 2)]
    assert [(i, n) for i, n in enumerate(counts[1::2]) if n] == [(3, 2), (25, 2)]


def test_quick_jobs_take_little_room(store, flusher):
    flush(flusher, ended("P", elapsed=0.01, waited=0.01))
    assert len(store.link.client.get("kiq:figures:2026020304:P")) == 24


def test_a_busy_hour_needs_more_than_16_bits(store):
    for _ in range(2):
        store.ledger.write({"P": JobMetrics(runs=70_000, run=[70_000] + [0] * 25)}, FEBRUARY)
    assert struct.unpack(">IIqII", store.link.client.get("kiq:figures:2026020304:P"))[::3] == (140_000, 140_000)


# --- minutes of a queue ---


def test_what_ends_before_the_minute_turns_belongs_to_it():
    tally = Tally()
    tally.turn(FEBRUARY)
    tally.add([ended(), ended(queue="mail")])
    tally.turn(FEBRUARY + 59.9)
    tally.add([ended()])
    tally.turn(FEBRUARY + 60.001)
    tally.add([ended()])
    assert tally.take(FEBRUARY + 64).ended == {FEBRUARY: {"default": 2, "mail": 1}, FEBRUARY + 60: {"default": 1}}
    assert tally.take(FEBRUARY + 64) == Counted({}, {})


def test_without_anybody_who_turns_it_is_the_minute_of_the_flush():
    tally = Tally()
    tally.add([ended()])
    assert tally.take(FEBRUARY + 61).ended == {FEBRUARY + 60: {"default": 1}}


def test_a_flush_that_comes_first_turns_too():
    tally = Tally()
    tally.turn(FEBRUARY)
    tally.add([ended()])
    assert tally.take(FEBRUARY + 60).ended == {FEBRUARY: {"default": 1}}


def test_what_waits_to_be_written_is_bounded():
    tally = Tally()
    for minute in range(2 * metrics.LONGEST_WAIT):
        now = FEBRUARY + 60 * minute
        tally.turn(now)
        tally.add([ended()])
        tally.give_back(tally.take(now))
    taken = tally.take(now)
    assert len(taken.ended) == metrics.LONGEST_WAIT
    assert min(taken.ended) == FEBRUARY + 60 * metrics.LONGEST_WAIT
    assert taken.jobs[RECORD].runs == 2 * metrics.LONGEST_WAIT


def test_the_queue_is_the_one_that_is_served_whatever_the_payload_says():
    tally = Tally()
    tally.add(
        [Outcome(Payload({"class": "x", "jid": "j", "args": [], "queue": f"q{i}"}), "default", None) for i in range(9)]
    )
    assert tally.take(FEBRUARY).ended == {FEBRUARY: {"default": 9}}


@pytest.fixture
def at(monkeypatch):
    """Make it a time so many seconds after the begin of the minute."""

    def at(seconds):
        monkeypatch.setattr(clock, "now", lambda: FEBRUARY + seconds)

    at(0)
    return at


def test_the_minute_is_measured_at_its_begin_alone(store, at):
    tally = Tally()
    measurer = Measurer(store, tally)
    at(30)
    measurer.tick()
    assert measurer.interval() == 30
    assert store.link.client.keys() == []
    tally.add([ended()])
    at(60.01)
    measurer.tick()
    tally.add([ended()])
    at(64)
    Flusher(store, tally).tick()
    flows = [store.link.client.hgetall(f"kiq:flow:20260203040{minute}") for minute in (5, 6)]
    assert flows == [{b"o|default": b"1"}, {b"o|default": b"1"}]
    assert store.sizes.read(["default"], [FEBRUARY, FEBRUARY + 60])[0] is None
    assert store.sizes.read(["default"], [FEBRUARY + 60])[0] is not None


def test_it_wakes_with_the_minute(store, at):
    measurer = Measurer(store, Tally())
    at(59.99)
    measurer.start()
    try:
        wait_for(lambda: measurer.ticks >= 1)
        at(60)
        wait_for(lambda: store.sizes.read([], [FEBRUARY + 60])[0] is not None)
    finally:
        measurer.stop()
        measurer.join(10)


# --- Redis away ---


class Broken:
    """The ledger of a Redis that fails."""

    def __init__(self, error):
        self.ledger, self.error = self, error

    def write(self, *_):
        raise self.error


def test_counts_outlive_an_outage(store, february):
    tally = Tally()
    away = Flusher(Broken(StoreUnavailable("away")), tally)
    for _ in range(3):
        tally.add([ended("P", elapsed=0.3)])
        with pytest.raises(StoreUnavailable):
            away.tick()
    flush(Flusher(store, tally), ended("P", error=ValueError()))
    assert store.link.client.hgetall("j|20260203|4:5") == {b"P|p": b"4", b"P|f": b"1", b"P|ms": b"900"}
    assert store.link.client.hgetall("kiq:minutes:2026020304") == {b"05|p": b"4", b"05|f": b"1"}
    assert store.link.client.hgetall("kiq:flow:202602030405") == {b"o|default": b"4"}


def test_a_full_redis_writes_nothing_and_loses_nothing(store, flusher):
    client = store.link.client
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreError):
            flush(flusher, ended("P"))
    finally:
        client.config_set("maxmemory", 0)
    assert client.dbsize() == 0
    flusher.tick()
    assert client.hget("j|20260203|4:5", "P|p") == b"1"


def test_a_key_of_another_type_is_not_counted_again_and_again(store, flusher):
    store.link.client.set("h|P-3-4:5", "no")
    store.link.client.set("j|260203|4:05", "not a hash")
    with pytest.raises(StoreError):
        flush(flusher, ended("P"))
    flusher.tick()
    assert store.link.client.hget("j|20260203|4:5", "P|p") == b"1"


# --- the service ---


def test_the_last_flush_comes_at_the_stop(store, flusher):
    flusher.start()
    flusher._tally.add([ended("P")])
    flusher.stop()
    assert flusher.join(10)
    assert store.link.client.hget("j|20260203|4:5", "P|p") == b"1"


def test_it_flushes_by_itself(store, flusher, monkeypatch):
    monkeypatch.setattr(metrics, "FLUSH_EVERY", 0.01)
    flusher._interval = 0.01
    flusher.start()
    try:
        flusher._tally.add([ended("P")])
        wait_for(lambda: store.link.client.hget("j|20260203|4:5", "P|p") == b"1")
    finally:
        flusher.stop()
        flusher.join(10)


def test_it_is_in_force_by_default(settings):
    settings.KIQ = {"ADAPTER": "test"}
    assert metrics.feature in plugins.features()


# --- a worker ---


def test_a_worker_counts_what_it_ran(store, settings):
    """All figures of one run of a worker say the same."""
    settings.KIQ = {**settings.KIQ, "FEATURES": ["kiq_django.features.metrics"]}
    metrics._tally.take(clock.now())  # what other tests of this process have run
    for number in range(40):
        (jobs.fail if number % 4 == 0 else jobs.record).using(retry=False).enqueue(number)
    worker = Launcher(WorkerConfig(capsules=[CapsuleConfig(queues={"default": 0})]), stores.get, print)
    worker.start()
    try:
        wait_for(lambda: sum(manager.fetcher.settler.processed for manager in worker.managers) == 40)
    finally:
        assert worker.stop(10)
    now = clock.now()
    assert store.counters.totals() == (40, 10)
    for period in ("1h", "24h", "7d", "30d"):
        chart = throughput(period, now)
        assert (chart.processed, chart.failed) == (40, 10)
    for minutes in PERIODS.values():
        assert {job.name: (job.runs, job.failures) for job in Metrics(now=now).top_jobs(minutes)} == {
            RECORD: (30, 0),
            "tests.jobsapp.jobs.fail": (10, 10),
        }
    assert sum(point.out or 0 for point in queue_history("default", 3, now=now)) == 40
