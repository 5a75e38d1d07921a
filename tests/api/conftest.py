"""Jobs, processes and sets as workers leave them in Redis."""

import json

import pytest

from kiq_django import clock
from kiq_django.payload import Payload
from kiq_django.store.processes import EXPIRY
from kiq_django.store.queues import Entry


@pytest.fixture(autouse=True)
def _server(store):
    """Every test here has a server, and finds it empty."""


@pytest.fixture
def put(store):
    """Put a job somewhere and return its payload: `put("queue")`, `put("retry", 60, retry_count=2)`."""
    numbers = iter(range(1_000_000))

    def put(place="queue", due=0.0, *, queue="default", name="shop.jobs.pay", args=(), kwargs=None, **fields):
        jid = fields.pop("jid", f"{next(numbers):024x}")
        now = clock.now()
        if place == "queue":
            fields.setdefault("enqueued_at", now)
        payload = Payload.new(name, args, kwargs or {}, queue=queue, retry=True, now=now, jid=jid, **fields)
        if place == "queue":
            store.queues.push([Entry(queue, payload.encode())])
        else:
            store.sets.add(place, payload.encode(), now + due)
        return payload

    return put


@pytest.fixture
def put_many(store):
    """So many jobs in a set, or in a queue, at once."""

    def put_many(place, number, **fields):
        now = clock.now()
        made = [
            Payload.new("shop.jobs.pay", [i], {}, queue="default", retry=True, now=now, **fields) for i in range(number)
        ]
        if place == "queue":
            store.queues.push([Entry("default", payload.encode()) for payload in made])
        for i, payload in enumerate(made if place != "queue" else ()):
            store.sets.add(place, payload.encode(), now + i)
        return made

    return put_many


@pytest.fixture
def beat(store):
    """Have a process say that it lives; what it runs is given by thread."""

    def beat(identity="host:1:aa", work=None, info=None, **fields):
        said = {
            "hostname": identity.split(":")[0],
            "started_at": clock.now() - 60,
            "pid": 1,
            "tag": "shop",
            "concurrency": 5,
            "queues": ["default", "mail"],
            "weights": [{"default": 1, "mail": 2}],
            "labels": ["eu"],
            "identity": identity,
            "version": "kiq_django 0.1.0",
        }
        values = {
            "info": json.dumps({**said, **(info or {})}),
            "concurrency": "5",
            "busy": str(len(work or {})),
            "beat": repr(clock.now()),
            "rtt_us": "1234",
            "quiet": "false",
            "rss": "51200",
        }
        return store.processes.beat(identity, {**values, **fields}, work or {})

    return beat


@pytest.fixture
def silent(store):
    """Have the last beat of a process be so many seconds ago."""

    def silent(identity, seconds):
        key = store.keys.process(identity)
        store.link.call("HSET", key, "beat", repr(clock.now() - seconds))
        store.link.call("PEXPIRE", key, int((EXPIRY - seconds) * 1000))

    return silent


@pytest.fixture
def in_queue(store):
    """The payloads of a queue, the next one first."""

    def in_queue(queue="default"):
        return [Payload.decode(raw) for raw in store.queues.page(queue, 0, 1_000_000)]

    return in_queue


@pytest.fixture
def in_set(store):
    """Payloads and scores of a set."""

    def in_set(name):
        return [(Payload.decode(raw), score) for raw, score in store.sets.page(name, 0, 1_000_000)]

    return in_set


@pytest.fixture
def running():
    """A payload, and how a process tells that it runs it."""

    def running(**fields):
        payload = Payload.new("shop.jobs.pay", [1], {}, queue="mail", retry=True, now=clock.now())
        entry = {"queue": "mail", "payload": payload.encode().decode(), "run_at": int(clock.now()) - 5, **fields}
        return payload, json.dumps(entry).encode()

    return running
