"""What is of another type than it should be, wherever it lies in Redis, is shown as well as it can be."""

import json
import zlib
from datetime import UTC, datetime
from itertools import count

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from kiq_django import clock, conf, models
from kiq_django.store.steps import MINUTE
from tests.admin.addresses import addresses

VALUES = (
    None, True, 0, -1, 7, 10**30, -(10**30), 1.5, 1e308, -1e308, 1e-320, "", "1", "-1", "NaN", "1e999", "x", "\x00",
    [], [[]], [None, 1, "x", {}], {}, {"a": {"b": [None]}}, {"": ""}, {"$kiq": "datetime", "value": 5}, "9" * 5_000,
)  # fmt: skip
TEXTS = ("", "x", "-1", "NaN", "inf", "-inf", "1e999", "9" * 400, "1.5", "0x10", "null", "[]", "{}", "\x00", "true")
"""Of fields that are texts in Redis and numbers for us."""
ODD = (*map(json.dumps, VALUES), *TEXTS, b"\xff")
DEEP = "[" * 50_000
RAW = (
    b"", b"null", b"[]", b"1", b"NaN", b"{", b"\xff\xfe\x00", b'"x"', b"{}", b'{"class":"x"}', b"\xef\xbb\xbf{}",
    b'{"class":"x","jid":"y","args":[NaN]}', b'{"class":"x","jid":"y","args":[%b]}' % (b"9" * 5_000),
    b'{"class":"x","jid":"y","args":' + b"[" * 5_000 + b"]" * 5_000 + b"}", DEEP.encode(),
    b'{"class":"x","jid":"y","args":["\\ud800"]}', b'{"class":"\\u0000","jid":"\\u0000","args":[]}',
    b'{"class":"x","jid":"","args":[]}', b'{"class":"x","jid":"' + b"z" * 5_000 + b'","args":[]}',
)  # fmt: skip
LOOSE = (
    "retry", "created_at", "enqueued_at", "failed_at", "retried_at", "error_class", "error_message", "error_backtrace",
    "error_frame", "display_class", "wrapped", "at", "encrypted", "trace_id", "retry_for", "retry_queue", "expires_in",
    "dead", "backtrace", "rich", "discarded_at", "cattr", "bid", "unique_for", "iteration", "sig",
)  # fmt: skip
STRICT = ("class", "jid", "args", "kwargs", "tags", "queue", "retry_count")
SCORES = ("inf", "-inf", "1e300", "-1e300", "0", "-1", "1e18")
SETS = ("dead", "retry", "schedule")
MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def put(store):
    """Send a command to Redis."""
    return store.link.call


def visit(chief, url: str) -> object:
    """The status, or the error that would have been a 500; a page that cannot be shown sends nobody elsewhere."""
    try:
        answer = chief.get(url)
    except Exception as error:
        return repr(error)[:200]
    return 200 if answer.status_code == 302 and "queuedjob" in url else answer.status_code


def shown(chief, *urls: str) -> dict[str, object]:
    """What is wrong with any of these pages."""
    return {url: told for url in urls if (told := visit(chief, url)) != 200}


def every_page(chief, *more: str) -> dict[str, object]:
    """What is wrong with any page, or with more of them, which show one thing each."""
    urls = [reverse("admin:index"), reverse("admin:app_list", args=["kiq"]), *more]
    urls += [each.at() for each in addresses() if not each.places and not each.name.endswith(("_act", "_undo"))]
    return shown(chief, *urls)


def page(name: str, *keys: object) -> list[str]:
    """Addresses of these things."""
    return [reverse(f"admin:kiq_{name}", args=[str(key)]) for key in keys]


# -- jobs --------------------------------------------------------------------------------------------


def job(number: int, **fields) -> bytes:
    document = {"class": "x.y", "jid": f"{number:024x}", "args": [1], "queue": "default", "created_at": clock.now()}
    return json.dumps({**document, **fields}).encode()


def everywhere(store, raw: bytes, score: object = 1.7e9) -> None:
    for name in SETS:
        store.link.call("ZADD", store.keys.job_set(name), str(score), raw)
    store.link.call("SADD", store.keys.queues(), "default")
    store.link.call("LPUSH", store.keys.queue("default"), raw)


def test_jobs_with_fields_of_other_types(chief, store):
    for number, value in enumerate(VALUES):
        everywhere(store, job(number, **dict.fromkeys(LOOSE, value)))
        everywhere(store, job(number + 100, error_message=value, error_class=value, retry_count=3))
    for number, (field, value) in enumerate((f, v) for f in STRICT for v in (5, "x", {}, [])):
        everywhere(store, job(number + 200, **{field: value}))
    jids = [f"{number:024x}" for number in (*range(len(VALUES)), *range(100, 100 + len(VALUES)))]
    pages = [*page("job", *jids), *page("job_edit", *jids[:3]), *page("queue", "default")]
    assert every_page(chief, *pages, *(f"/admin/kiq/{name}/?p=2" for name in ("deadjob", "retryjob"))) == {}


def test_bytes_that_are_no_job_and_times_beyond_the_calendar(chief, store):
    for raw in RAW:
        everywhere(store, raw)
    for number, score in enumerate(SCORES):
        everywhere(store, job(number), score)
    jids = [f"{number:024x}" for number in range(len(SCORES))]
    assert every_page(chief, *page("job", *jids), *page("queue", "default")) == {}


def test_records(chief, put, store):
    number = count()

    def record(**fields: object) -> None:
        flat = [part for pair in {"place": "dead", **fields}.items() for part in pair]
        put("HSET", store.keys.job("", f"j{next(number)}"), *flat)

    run = ("started_at", "seconds", "worker", "error_class", "message", "frame", "trace")
    for value in VALUES:
        text = json.dumps(value)
        told = json.dumps({**dict.fromkeys(run, value), "trace": "a"})
        trace = zlib.compress(text.encode())
        record(**{"run:1": text, "end": text, "trace:a": text})
        record(**{"place": "done", "run:1": told, "run:99999999999999999": told, "trace:a": trace, "end": told})
    for text in (*TEXTS, b"\xff", DEEP):
        record(place=text)
        record(score=text, at=text, failures=text, name=text, queue=text, end=text, result=text, progress=text)
        record(**{"place": "done", "run:1": text, "end": text, "trace:": text, f"run:{text!r}": "{}"})
    assert shown(chief, *page("job", *(f"j{each}" for each in range(next(number))))) == {}


# -- processes ---------------------------------------------------------------------------------------


def test_processes(chief, put, store):
    fields = ("hostname", "pid", "tag", "labels", "version", "started_at", "queues", "weights", "capsules",
              "concurrency", "identity", "embedded")  # fmt: skip
    keys, number = store.keys, count()

    def beat(info: object, work: object = b"{}", **told: str) -> None:
        identity = f"host:{next(number)}:aa"
        put("SADD", keys.processes(), identity)
        flat = [part for pair in {"info": info, "beat": repr(clock.now()), **told}.items() for part in pair]
        put("HSET", keys.process(identity), *flat)
        put("HSET", keys.work(identity), "t", work)

    for value in VALUES:
        beat(json.dumps(dict.fromkeys(fields, value)), json.dumps(value))
        beat(json.dumps(value), json.dumps(dict.fromkeys(("queue", "payload", "run_at"), value)))
        beat(json.dumps({"labels": [value], "queues": [value, "default"], "weights": [value, {"default": value}]}))
        capsule = {"concurrency": value, "mode": value, "weights": value}
        beat(json.dumps({"weights": {"default": value}, "capsules": {"a": value, "b": capsule}}))
    for text in TEXTS:
        beat("{}", text, **dict.fromkeys(("concurrency", "busy", "beat", "rtt_us", "quiet", "rss"), text))
        beat(text, json.dumps({"queue": "default", "payload": text, "run_at": text}))
    put("LPUSH", keys.queue("default"), job(1))
    put("SADD", keys.queues(), "default")
    identities = [f"host:{each}:aa" for each in range(0, next(number), 2)]
    assert every_page(chief, *page("process", *identities), *page("queue", "default")) == {}


# -- figures -----------------------------------------------------------------------------------------


@pytest.fixture
def figures(chief, put, store, monkeypatch):
    """Say what is wrong with the pages that tell of figures, at a moment for which one can name the keys."""
    monkeypatch.setattr(clock, "now", MOMENT.timestamp)
    put("LPUSH", store.keys.queue("default"), job(1))
    put("SADD", store.keys.queues(), "default")
    names = ("overview_changelist", "overview_tables", "queue_changelist", "jobmetrics_changelist")
    urls = [*(reverse(f"admin:kiq_{name}") for name in names), *page("queue", "default"), *page("jobmetrics", "x")]

    def figures() -> dict[str, object]:
        conf.reset()  # what pages remember for a while
        return shown(chief, *urls)

    return figures


def test_notes_of_pauses(chief, figures, put, store):
    notes = [*ODD, *(json.dumps({"by": value, "reason": value, "at": value}) for value in VALUES)]
    for number, note in enumerate(notes):
        put("SADD", store.keys.paused(""), f"q{number}")
        put("HSET", store.keys.pause_notes(), f"q{number}", note)
    put("HSET", store.keys.pause_notes(), b"\xff", "{}", "gone", "x")
    assert figures() == {}
    some = page("queue", *(f"q{number}" for number in range(0, len(notes), 5)))
    assert shown(chief, "/admin/kiq/queue/?p=2", *some) == {}


def test_notes_of_pauses_that_nest_deep(figures, put, store):
    put("SADD", store.keys.paused(""), "default")
    put("HSET", store.keys.pause_notes(), "default", DEEP)
    assert figures() == {}


def test_totals(chief, put, store):
    for value in ODD:
        put("MSET", store.keys.stat("processed"), value, store.keys.stat("failed"), value)
        assert shown(chief, reverse("admin:kiq_overview_now")) == {}


def test_histograms(figures, put, store):
    keys, day = store.keys, f"{MOMENT:%Y%m%d}"
    for number, value in enumerate(ODD):
        at = clock.now() - 60 * number
        minute, hour, ten = (f"{datetime.fromtimestamp(at, UTC):{form}}" for form in ("%M", "%H", "%H%M"))
        put("HSET", keys.minutes(f"{day}{hour}"), f"{minute}|p", value, f"{minute}|f", value, value, value)
        put("HSET", keys.ten_minutes(day), f"{ten[:3]}|p", value, value, value)
        put("HSET", keys.hours(day), f"{hour}|p", value, f"{number:02}|f", value, value, value)
        put("SET", keys.figures("x", f"{day}{ten}"), value)
        put("ZADD", keys.ran(day), 5, value)
        put("HSET", keys.flow(MINUTE.bucket(at)), "o|default", value, "x|default", value)
        put("HSET", keys.metrics(f"{day}|{int(hour)}:{int(minute)}"), "x|p", value, value, value)
        put("HSET", keys.marks(day), value, value, f"{MOMENT:%F}T{hour}:{minute}:00Z", value)
    put("HSET", keys.marks(day), "0001-01-01T00:00:00Z", "far", "9999-12-31T23:59:59-14:00", "farther")
    put("ZADD", keys.ran(day), "inf", "x")
    put("SET", keys.sidekiq_seen(), "x")
    assert figures() == {}


def test_marks_without_a_time_zone(figures, put, store):
    put("HSET", store.keys.marks(f"{MOMENT:%Y%m%d}"), f"{MOMENT:%FT%H:%M}", "deploy")
    assert figures() == {}


def test_measurements_of_queues(figures, put, store):
    for minute, value in enumerate(ODD):
        put("HSET", store.keys.sizes(MINUTE.bucket(clock.now() - 60 * minute)), "q|default", value, "all", value)
    assert figures() == {}


GROUP = {"name": "x", "error_class": "E", "frame": "", "pattern": "", "count": 1}


def counted(chief, put, store, told: object) -> dict[str, object]:
    """What is wrong with the pages of failures when somebody has written such a count."""
    for name in ("dead", "retry"):
        put("ZADD", store.keys.job_set(name), 1.7e9, job(1))
        put("HSET", store.keys.groups(name), "done", json.dumps(told), "begun", json.dumps(told))
    return shown(chief, reverse("admin:kiq_deadjob_groups"))


def test_counts_of_failures(chief, put, store):
    for told in (*VALUES, {"groups": 1}, {"groups": {"a": 1}}, {"groups": {"a": GROUP}}):
        assert counted(chief, put, store, told) == {}


def test_counts_of_failures_with_other_types(chief, put, store):
    for field in ("name", "count", "hours", "jids", "last_at", "began_at", "counted"):
        for value in ("x", [], 5, None):
            tally = {"began_at": clock.now(), "counted": 1, "complete": True, "groups": {"a": GROUP}}
            wrong = {field: value} if field in tally else {"groups": {"a": {**GROUP, field: value}}}
            assert counted(chief, put, store, {**tally, **wrong}) == {}


# -- history and operations --------------------------------------------------------------------------


def test_entries_of_the_audit_log_that_others_wrote(chief):
    kinds = [ContentType.objects.get_for_model(kind) for kind in (models.Queue, models.Job, models.JobMetrics)]
    given = {"user": User.objects.get(), "object_id": "j1", "object_repr": "x", "action_flag": 7}
    for value in VALUES:
        told = {"verb": value, "count": value, "reason": value, "details": value}
        messages = (value, [value], [{"kiq": value}], [{"kiq": told}], [{"kiq": told, "changed": {"fields": [value]}}])
        LogEntry.objects.bulk_create(
            LogEntry(content_type=kind, change_message=json.dumps(each), **given) for kind in kinds for each in messages
        )
    entries = LogEntry.objects.count()
    pages = [f"/admin/kiq/audit/?p={number}" for number in range(2, entries // 50 + 1)]
    assert every_page(chief, *page("job", "j1"), *pages) == {}


def test_operations(chief, put, store):
    usual = {"verb": "retry", "place": "dead", "where": "{}", "started_at": "1.5"}
    names = ("verb", "place", "queue", "where", "spread", "when", "to", "by", "reason", "state", "started_at", "size",
             "begun_at", "heartbeat", "finished_at", "runner", "cancelled_by", "error", "total", "looked_at", "done",
             "gone", "skipped")  # fmt: skip
    wrong = [{name: "x"} for name in names] + [dict.fromkeys(names, text) for text in (*TEXTS, b"\xff")]
    for number, fields in enumerate(wrong):
        put("ZADD", store.keys.operations(), number, f"op{number}")
        flat = [part for pair in {**usual, **fields}.items() for part in pair]
        put("HSET", store.keys.operation(f"op{number}"), *flat)
    pages = page("operation_now", *(f"op{number}" for number in range(len(wrong))))
    assert shown(chief, reverse("admin:kiq_operation_changelist"), *pages) == {}
