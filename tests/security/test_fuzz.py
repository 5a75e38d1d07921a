"""Whatever bytes lie in Redis: nothing is dropped, nothing imported, and the worker goes on."""

import contextlib
import json
import os
import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import routing
from kiq_django.api import DeadSet, Queue, RetrySet, ScheduledSet
from kiq_django.api.records import JobRecord
from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.redaction import redact_call
from kiq_django.store.queues import Entry
from tests.security.chance import patient
from tests.security.test_names import nothing_happens
from tests.support import wait_for

FIELDS = [
    "class", "args", "kwargs", "jid", "queue", "retry", "retry_count", "retry_for", "retry_queue", "backtrace", "tags",
    "at", "created_at", "enqueued_at", "failed_at", "retried_at", "error_class", "error_message", "error_backtrace",
    "error_frame", "rich", "wrapped", "display_class", "bid", "timeout", "cattr", "locale", "kiq_seal", "expires_in",
]  # fmt: skip


def deep(levels):
    value = "deep"
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


VALUES = [
    None, True, 0, -1, 1, 25, 2**31, 2**63, 2**64, 10**40, -(10**40), 0.5, -0.0, 1e308, 5e-324, "", " ", "0",
    "x" * 5_000, "\x00", "\r\n\x1b[2J", "\u2028", "\U0001f600", "os.system", "default", "note", "null", "1e999",
    [], [None], [[]], [1] * 500, ["a", 5, None, {}], {}, {"": ""}, {"a": {"b": [1]}}, deep(90),
    {"$kiq": "model", "value": "auth.User", "pk": 1, "using": "default"}, {"$kiq": "datetime", "value": "x"},
    {"$kiq": [], "value": None}, {"$kiq": "decimal", "value": "1" * 5_000}, {"$kiq": "timedelta", "value": [1]},
    {"job_class": "note", "arguments": [1]}, {"job_class": 5, "arguments": "x"},
]  # fmt: skip
GARBAGE = [
    b"", b"null", b"[]", b'""', b"{}", b"{", b"\x80\x04\x95", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"[" * 200,
    b'{"class":"note"}', b'{"class":"note","jid":5}', b'{"class":5,"jid":"a"}', b'{"class":"","jid":"a","args":[]}',
    b'{"class":"note","jid":"a","args":[NaN]}', b'{"class":"note","jid":"a","args":["\\ud800"]}', b"NaN",
    b'{"class":"note","jid":"a","args":[1e999]}', b'{"class":"note","jid":"a","args":' + b"[" * 101 + b"]" * 101 + b"}",
    b'{"class":"note","jid":"a","args":[' + b"1" * 5_000 + b"]}", b"\x00" * 100, b"cos\nsystem\n(S'true'\ntR.",
]  # fmt: skip
CHANGED, BROKEN = 1_000, 500
SEEDS = int(os.environ.get("KIQ_FUZZ_SEEDS", "3"))
"""Runs of so many payloads each."""


def base(number, chance):
    name = chance.choice(["note", "note", "note_async", "fails", "nobody_knows_me"])
    document = {"class": name, "args": [number], "jid": f"jid{number}", "queue": "default", "retry": True}
    return {**document, "created_at": 1.5, "enqueued_at": 2.5, "number": number}


def changed(chance):
    """Jobs with fields of any type and value, which all want to be kept."""
    for number in range(CHANGED):
        document = base(number, chance)
        for _ in range(chance.randrange(1, 4)):
            document[chance.choice(FIELDS)] = chance.choice(VALUES)
        yield json.dumps(document).encode()


def broken(chance):
    """Bytes that were jobs."""
    for number in range(CHANGED, CHANGED + BROKEN):
        raw = bytearray(json.dumps(base(number, chance)).encode())
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(raw))
            deed = chance.randrange(4)
            if deed == 0:
                raw[at] = chance.randrange(256)
            elif deed == 1:
                del raw[at : at + chance.randrange(1, 20)]
            elif deed == 2:
                raw[at:at] = bytes(chance.randrange(256) for _ in range(3))
            else:
                raw[at:at] = raw[max(0, at - 10) : at]
        yield bytes(raw) or b"x"


def fuzz(seed):
    chance = random.Random(seed)
    found = [*changed(chance), *broken(chance), *GARBAGE]
    chance.shuffle(found)
    return list(dict.fromkeys(found))


LASTING = ("class", "args", "kwargs", "jid", "tags", "number")


def identity(raw):
    """By which a job is known all its life, if it is one that has to be kept; of anything else its bytes."""
    try:
        document = Payload.decode(raw).document
    except MalformedPayload:
        return raw
    if document.get("retry") is False or document.get("dead") is False:
        return None  # it may be dropped once it has failed: it says so
    return repr([document.get(field) for field in LASTING])


@pytest.fixture
def ran(declare):
    """The numbers of the jobs that ran to their end; and the jobs that the payloads name."""
    found, lock = [], threading.Lock()

    def note(*args, **kwargs):
        from kiq_django import current_job

        with lock:
            found.append(identity(current_job().payload.encode()))

    async def note_async(*args, **kwargs):
        note()

    def fails(*args, **kwargs):
        raise ValueError(args)

    for function in (note, note_async, fails):
        declare(function)
    return found


def kept(store):
    """Numbers and bytes of everything that lies in one of the sets."""
    return {identity(raw) for name in ("retry", "dead") for raw, _ in store.sets.page(name, 0, 100_000)}


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_everything_ran_or_is_kept(seed, start, store, ran, members):
    raws = fuzz(seed)
    wanted = {identity(raw) for raw in raws}
    with nothing_happens():
        for raw in raws:
            store.queues.push([Entry("default", raw)])
        start(concurrency=3)
        wait_for(lambda: not store.queues.sizes(["default"])["default"], timeout=60)
        wait_for(lambda: (wanted - {*ran} - kept(store)) <= {None}, timeout=30, what="all jobs")
    store.queues.push([Entry("default", json.dumps(base(-1, random.Random(0)) | {"class": "note"}).encode())])
    wait_for(lambda: any("jid-1" in each for each in ran if isinstance(each, str)))


@pytest.mark.django_db
def test_what_is_due_is_promoted_or_kept(start, store, ran):
    """Any field may name the queue, and the poller must move it all the same."""
    raws = fuzz(3)
    wanted = {identity(raw) for raw in raws}
    with nothing_happens():
        for name in ("schedule", "retry"):
            for raw in raws[:: 2 if name == "retry" else 1]:
                store.sets.add(name, raw, 1.5)
        start(concurrency=3)

        def waiting():
            queues = store.queues.names()
            return {identity(raw) for queue in queues for raw in store.queues.page(queue, 0, 100_000)}

        wait_for(lambda: store.sets.count("schedule") == 0, timeout=60)
        wait_for(lambda: not store.sets.due("retry", 1), timeout=60)
        wait_for(lambda: (wanted - {*ran} - kept(store) - waiting()) <= {None}, timeout=30, what="all numbers")


def read_everything(record):
    for attribute in dir(type(record)):
        if not attribute.startswith("_") and not callable(getattr(type(record), attribute)):
            getattr(record, attribute)
    repr(record)
    if record.payload is not None:
        redact_call(record.payload, routing.find(record.payload))


def test_whoever_looks_at_it_sees_something(store):
    raws = fuzz(4)[::3]
    for name in ("schedule", "retry", "dead"):
        for number, raw in enumerate(raws):
            store.sets.add(name, raw, number)
    for raw in raws:
        store.queues.push([Entry("default", raw)])
    with nothing_happens():
        for place in (ScheduledSet(), RetrySet(), DeadSet(), Queue("default")):
            seen = list(place)
            assert len(seen) == len(raws)
            for record in seen:
                read_everything(record)


@patient
@given(st.binary() | st.text().map(str.encode) | st.sampled_from([*GARBAGE, *fuzz(5)]))
def test_any_bytes_are_read_or_refused(raw):
    with contextlib.suppress(MalformedPayload):
        payload = Payload.decode(raw)
        assert Payload.decode(Payload(payload.document).encode()) == payload
    read_everything(JobRecord(raw, "dead", at=1.5))
