"""What Sidekiq 7.3 and 8.1 write and read, byte for byte, in both directions. No Ruby is needed for it."""

import json
import os
import struct

import pytest

from kiq_django import activejob, backtrace, clock, histogram, retry
from kiq_django.api import Metrics, ProcessSet, Queue, RetrySet, Stats, WorkSet
from kiq_django.options import JobOptions
from kiq_django.payload import Payload
from kiq_django.store.keys import Keys
from kiq_django.store.metrics import JobMetrics
from kiq_django.store.queues import Entry
from kiq_django.version import __version__
from kiq_django.worker import heartbeat
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.reservation import Reservation
from tests.jobsapp import jobs

NOW = 1_795_318_639.913464
MINUTE = 1_770_091_500.0
"""2026-02-03 04:05 UTC."""
JID = "8f3c5d1e2b4a69788796a5b4"
WAITING_7 = (
    b'{"retry":true,"queue":"default","args":[1,"\xc3\xa9",{"a":null}],"class":"HardWorker",'
    b'"jid":"8f3c5d1e2b4a69788796a5b4","created_at":1795318639.913464,"enqueued_at":1795318639.913648}'
)
WAITING_8 = (
    b'{"retry":true,"queue":"default","args":[1],"class":"HardWorker","jid":"8f3c5d1e2b4a69788796a5b4",'
    b'"created_at":1795318639913,"enqueued_at":1795318639913}'
)
PROMOTED_BY_8 = WAITING_8.replace(b'"created_at":1795318639913', b'"created_at":1795318639.913464')
FAILED_7 = WAITING_7[:-1] + (
    b',"error_message":"boom","error_class":"RuntimeError","failed_at":1795318640.5,"retry_count":1,'
    b'"retried_at":1795318660.25,"error_backtrace":"eJyLVtIvLirTTywo0C/PL8pOLSrWz0gsSomHcPSKkqxMrTLzFBIKUovS8oty1ZV0EBpyMpP0D68EqTEEq0nKyU/OVgCybHITM/Ps1JViAUL4IO8="}'
)
FAILED_8 = WAITING_8[:-1] + (
    b',"error_message":"boom","error_class":"RuntimeError","failed_at":1795318640500,"retry_count":1,'
    b'"retried_at":1795318660250}'
)


# --- payloads ---


@pytest.mark.parametrize("raw", [WAITING_7, WAITING_8, PROMOTED_BY_8, FAILED_7, FAILED_8])
def test_what_ruby_wrote_is_written_back_as_it_was(raw):
    assert Payload.decode(raw).evolve().encode() == raw


@pytest.mark.parametrize(("raw", "precision"), [(WAITING_7, 1e-6), (WAITING_8, 1e-3), (PROMOTED_BY_8, 1e-3)])
def test_times_are_read_field_by_field(raw, precision):
    read = Payload.decode(raw)
    assert read.created_at == pytest.approx(NOW, abs=precision)
    assert read.enqueued_at == pytest.approx(NOW, abs=max(precision, 2e-4))


@pytest.mark.parametrize("raw", [FAILED_7, FAILED_8])
def test_failures_are_read(raw):
    read = Payload.decode(raw)
    assert (read.failed_at, read.retried_at, read.retry_count) == (1795318640.5, 1795318660.25, 1)


def test_a_backtrace_of_ruby_is_read():
    packed = Payload.decode(FAILED_7).document["error_backtrace"]
    assert backtrace.decode(packed) == [
        "/srv/app/workers/hard_worker.rb:5:in `perform'",
        "/srv/app/lib/é.rb:1:in `block in <main>'",
    ]


def test_our_payload(settings, store, monkeypatch):
    """The one form that 6.4, 7.3 and 8.1 read alike."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    handle = jobs.HardWorker.using(queue="ruby", tags=["a"]).enqueue("é")
    assert store.link.call("LRANGE", "queue:ruby", 0, -1) == [
        b'{"retry":true,"queue":"ruby","class":"HardWorker","args":["\xc3\xa9"],"jid":"%b",'
        b'"created_at":1795318639.913464,"tags":["a"],"enqueued_at":1795318639.913464}' % handle.id.encode()
    ]
    assert store.link.call("SMEMBERS", "queues") == {b"ruby"}


def test_our_scheduled_payload_has_neither_at_nor_enqueued_at(store, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    handle = jobs.HardWorker.enqueue_in(60, "x")
    [(raw, score)] = store.link.client.zrange("schedule", 0, -1, withscores=True)
    assert score == NOW + 60
    assert raw == (
        b'{"retry":true,"queue":"default","class":"HardWorker","args":["x"],"jid":"%b",'
        b'"created_at":1795318639.913464}' % handle.id.encode()
    )
    assert store.link.call("EXISTS", "queues") == 0


def test_whole_seconds_keep_their_fraction(store, monkeypatch):
    """Without it 8.1 would take them for milliseconds."""
    monkeypatch.setattr(clock, "now", lambda: 1795318639.0)
    jobs.HardWorker.enqueue("x")
    assert b'"created_at":1795318639.0,"enqueued_at":1795318639.0}' in store.link.call("LINDEX", "queue:default", 0)


def failed(raw, now=1795318640.5, message="boom", **options):
    decision = retry.decide(
        Payload.decode(raw), RuntimeError(message), JobOptions(**options), queue="default", now=now, chance=lambda: 0.0
    )
    return decision.payload.encode()


def test_our_failures():
    first = failed(WAITING_7)
    assert first == WAITING_7[:-1] + (
        b',"error_class":"RuntimeError","error_message":"boom","retry_count":0,"failed_at":1795318640.5}'
    )
    second = failed(first, now=1795318660.25)
    assert second == first.replace(b'"retry_count":0', b'"retry_count":1')[:-1] + b',"retried_at":1795318660.25}'


def test_our_failure_of_a_job_of_8_leaves_its_times_as_they_are():
    counted = FAILED_8.replace(b'"retry_count":1', b'"retry_count":2')
    assert failed(FAILED_8, now=1795318700.0) == counted.replace(b"1795318660250", b"1795318700.0")


def test_a_backtrace_is_text_on_one_line_that_every_version_reads():
    lines = [f"/srv/app/jobs.py:{number}:in `perform'" for number in range(30)]
    packed = backtrace.encode(lines)
    assert packed.startswith("eJ")  # the header of zlib
    assert "\n" not in packed
    assert backtrace.decode(packed) == lines


# --- integer milliseconds, for clusters of Sidekiq 8 alone ---


@pytest.fixture
def integer_times(settings):
    settings.KIQ = {**settings.KIQ, "SIDEKIQ": {"integer_times": True}}


def test_a_payload_of_a_pure_8_cluster(store, integer_times, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    handle = jobs.HardWorker.enqueue("x")
    later = jobs.HardWorker.enqueue_in(60, "x")
    assert store.link.call("LINDEX", "queue:default", 0) == (
        b'{"retry":true,"queue":"default","class":"HardWorker","args":["x"],"jid":"%b",'
        b'"created_at":1795318639913,"enqueued_at":1795318639913}' % handle.id.encode()
    )
    [(raw, score)] = store.link.client.zrange("schedule", 0, -1, withscores=True)
    assert (score, json.loads(raw)["created_at"], json.loads(raw)["jid"]) == (NOW + 60, 1795318639913, later.id)


# --- where it lies ---


def test_keys():
    keys = Keys()
    assert [keys.queues(), keys.queue("a"), keys.paused("a"), keys.processes(), keys.cleanup_guard()] == [
        "queues",
        "queue:a",
        "paused",
        "processes",
        "process_cleanup",
    ]
    assert [keys.job_set(name) for name in ("schedule", "retry", "dead")] == ["schedule", "retry", "dead"]
    assert [keys.process("h:1:n"), keys.work("h:1:n"), keys.workers("h:1:n"), keys.signals("h:1:n")] == [
        "h:1:n",
        "h:1:n:work",
        "h:1:n:workers",
        "h:1:n-signals",
    ]
    assert [keys.stat("processed"), keys.stat("failed", "2026-02-03")] == ["stat:processed", "stat:failed:2026-02-03"]
    assert [keys.iteration(JID), keys.marks("20260203"), keys.mark_guard("v1")] == [
        f"it-{JID}",
        "20260203-marks",
        "deploylock-v1",
    ]


def test_totals(store):
    store.counters.add_totals(3, 1, MINUTE)
    found = {key: store.link.call("GET", key) for key in store.link.call("KEYS", "*")}
    assert found == {
        b"stat:processed": b"3",
        b"stat:processed:2026-02-03": b"3",
        b"stat:failed": b"1",
        b"stat:failed:2026-02-03": b"1",
    }
    assert store.link.call("TTL", "stat:failed:2026-02-03") == 157_680_000
    assert store.link.call("TTL", "stat:failed") == -1


# --- metrics ---


def seen():
    metrics = JobMetrics(runs=3, failures=1, run_ms=300.4)
    histogram.add(metrics.run, 20)
    histogram.add(metrics.run, 280)
    return {"P": metrics}


def bitfield(*indices):
    counts = [indices.count(index) for index in range(max(indices) + 1)]
    return struct.pack(f">{len(counts)}H", *counts)


@pytest.mark.parametrize(("ms", "index"), [(19.9, 0), (20, 1), (280, 7), (334.9, 7), (335, 8), (335_000, 25)])
def test_index_of_a_duration(ms, index):
    assert histogram.index_of(ms) == index


def test_metrics_as_7_and_8_name_them(store):
    store.ledger.write(seen(), MINUTE)
    hashes = [b"j|20260203|4:5", b"j|260203|4:05", b"j|260203|4:0"]
    strings = [b"P-03-04:5", b"h|P-3-4:5"]
    assert {key for key in store.link.call("KEYS", "*") if not key.startswith(b"kiq:")} == {*hashes, *strings}
    for key in hashes:
        assert store.link.call("HGETALL", key) == {b"P|p": b"3", b"P|f": b"1", b"P|ms": b"300"}
    for key in strings:
        assert store.link.call("GET", key) == bitfield(1, 7)
    assert [store.link.call("TTL", key) for key in (*hashes, *strings)] == [28_800, 28_800, 259_200, 28_800, 28_800]


@pytest.mark.parametrize("version", [7, 8])
def test_metrics_of_ruby_alone(store, version):
    """As a Ruby process of that version leaves them, and nobody else."""
    minute = {7: "j|20260203|4:5", 8: "j|260203|4:05"}[version]
    times = {7: "P-03-04:5", 8: "h|P-3-4:5"}[version]
    store.link.call("HSET", minute, "P|p", 3, "P|f", 1, "P|ms", 300)
    store.link.call("BITFIELD", times, "OVERFLOW", "SAT", "INCRBY", "u16", "#1", 1, "INCRBY", "u16", "#7", 1)
    [job] = Metrics(now=MINUTE + 70).top_jobs(60)
    assert (job.name, job.runs, job.failures, job.total_ms) == ("P", 3, 1, 300)
    assert [index for index, count in enumerate(job.run) if count] == [1, 7]


def test_ten_minutes_of_ruby(store):
    store.link.call("HSET", "j|260203|4:0", "P|p", 3, "P|ms", 300)
    [job] = Metrics(now=MINUTE + 3600).top_jobs(1440)
    assert (job.name, job.runs, job.total_ms) == ("P", 3, 300)


def test_deploy_marks(store):
    assert store.deploys.mark("v1 first", MINUTE + 30)
    assert store.link.call("GET", "deploylock-v1 first") == b"2026-02-03T04:05:00Z"
    assert store.link.call("TTL", "deploylock-v1 first") == 60
    assert not store.deploys.mark("v1 first", MINUTE + 60)
    assert store.deploys.mark("v2", MINUTE + 45)
    assert store.link.call("HGETALL", "20260203-marks") == {b"2026-02-03T04:05:00Z": b"v1 first"}
    assert store.link.call("TTL", "20260203-marks") == 7_776_000
    assert list(Metrics(now=MINUTE + 70).marks(60).values()) == ["v1 first"]


# --- processes ---

IDENTITY = "web-1:4711:a1b2c3d4e5f6"
CONFIG = WorkerConfig(
    capsules=[CapsuleConfig(queues={"critical": 6, "default": 1}, concurrency=10)],
    tag="shop",
    labels=["blue"],
    identity=IDENTITY,
    started_at=1795318600.0,
)
INFO_OF_7 = (
    '{"hostname":"web-2","started_at":1795318600.5,"pid":12,"tag":"shop","concurrency":5,'
    '"queues":["default","mail"],"weights":[{"default":2,"mail":1}],"labels":["blue"],'
    '"identity":"web-2:12:0123456789ab","version":"7.3.10","embedded":false}'
)
INFO_OF_8 = (
    '{"hostname":"web-2","started_at":1795318600.5,"pid":12,"tag":"shop","capsules":{"default":'
    '{"concurrency":5,"mode":"weighted","weights":{"default":2,"mail":1}}},"queues":["default","mail"],'
    '"weights":[{"default":2,"mail":1}],"labels":["blue"],"identity":"web-2:12:0123456789ab","version":"8.1.7",'
    '"embedded":false}'
)


def test_our_process_says_what_every_version_looks_for():
    info = json.dumps(heartbeat._info(CONFIG), separators=(",", ":"))
    expected = (
        '{"hostname":"web-1","started_at":1795318600.0,"pid":PID,"tag":"shop","concurrency":10,'
        '"capsules":{"default":{"concurrency":10,"mode":"weighted","weights":{"critical":6,"default":1}}},'
        '"queues":["critical","default"],"weights":[{"critical":6,"default":1}],"labels":["blue"],'
        '"identity":"web-1:4711:a1b2c3d4e5f6","version":"kiq_django VERSION","embedded":false}'
    )
    assert info == expected.replace("PID", str(os.getpid())).replace("VERSION", __version__)


def test_a_beat(store):
    fields = {"info": "{}", "concurrency": "10", "busy": "1", "beat": "1795318640.5", "rtt_us": "90", "quiet": "false"}
    entry = heartbeat._work_entry(Reservation("o", "default", WAITING_7), 1795318640.9)
    assert (
        entry
        == b'{"queue":"default","payload":%b,"run_at":1795318640}'
        % json.dumps(WAITING_7.decode(), ensure_ascii=False).encode()
    )
    store.processes.beat(IDENTITY, fields, {"2f1": entry})
    read = store.link.call
    assert read("SMEMBERS", "processes") == {IDENTITY.encode()}
    assert read("HGETALL", IDENTITY) == {key.encode(): value.encode() for key, value in fields.items()}
    assert read("HGETALL", f"{IDENTITY}:work") == read("HGETALL", f"{IDENTITY}:workers") == {b"2f1": entry}
    assert [read("TTL", f"{IDENTITY}{suffix}") for suffix in ("", ":work", ":workers")] == [60, 60, 60]


def test_signals_are_taken_one_a_beat_the_first_first(store):
    """As Ruby leaves them: LPUSH and EXPIRE."""
    for signal in ("TSTP", "TERM"):
        store.link.call("LPUSH", f"{IDENTITY}-signals", signal)
        store.link.call("EXPIRE", f"{IDENTITY}-signals", 60)
    assert [store.processes.beat(IDENTITY, {"busy": "0"}, {}) for _ in range(3)] == ["TSTP", "TERM", None]
    store.processes.signal([IDENTITY], "TTIN")
    assert store.link.call("LRANGE", f"{IDENTITY}-signals", 0, -1) == [b"TTIN"]
    assert store.link.call("TTL", f"{IDENTITY}-signals") == 60


@pytest.mark.parametrize(("info", "fields"), [(INFO_OF_7, {}), (INFO_OF_8, {"concurrency": "5"})])
def test_a_ruby_process(store, info, fields):
    identity = "web-2:12:0123456789ab"
    beat = {"info": info, "busy": "1", "beat": "1795318640.25", "rtt_us": "250", "quiet": "true", "rss": "90000"}
    store.link.call("SADD", "processes", identity)
    store.link.call("HSET", identity, *(part for pair in {**beat, **fields}.items() for part in pair))
    work = {"queue": "default", "payload": WAITING_8.decode(), "run_at": 1795318640}
    store.link.call("HSET", f"{identity}:work", "abc", json.dumps(work))
    [process] = ProcessSet()
    assert (process.identity, process.hostname, process.pid, process.tag) == (identity, "web-2", 12, "shop")
    assert (process.concurrency, process.busy, process.is_quiet, process.rss) == (5, 1, True, 90000)
    assert (process.queues, process.weights) == (["default", "mail"], {"default": 2, "mail": 1})
    assert (process.started_at, process.labels) == (1795318600.5, ["blue"])
    [running] = WorkSet()
    assert (running.queue, running.run_at, running.record.jid) == ("default", 1795318640.0, JID)


# --- jobs of Ruby in our hands ---


def test_paused_is_a_set_of_bare_names(store):
    Queue("default").pause()
    assert store.link.call("SMEMBERS", "paused") == {b"default"}
    store.link.call("SADD", "paused", "mail")
    assert Queue("mail").paused


def test_a_retry_by_hand_is_the_one_of_sidekiq(store, monkeypatch):
    store.sets.add("retry", FAILED_7, NOW)
    monkeypatch.setattr(clock, "now", lambda: 1795318700.0)
    assert next(iter(RetrySet())).retry()
    expected = FAILED_7.replace(b'"retry_count":1', b'"retry_count":0').replace(
        b'"enqueued_at":1795318639.913648', b'"enqueued_at":1795318700.0'
    )
    assert store.link.call("LINDEX", "queue:default", 0) == expected
    assert Stats().queues == {"default": 1}


def test_latency_of_every_writer(store, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW + 10)
    for number, raw in enumerate([WAITING_7, WAITING_8, PROMOTED_BY_8]):
        store.queues.push([Entry(f"q{number}", raw)])
        assert Queue(f"q{number}").latency == pytest.approx(10, abs=2e-3)


def test_wrappers_of_both_names():
    assert set(activejob.WRAPPERS) == {
        "Sidekiq::ActiveJob::Wrapper",
        "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper",
    }
