"""One of each thing that pages show, with the same text wherever somebody else chooses the text."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType

from kiq_django import backtrace, clock, histogram, models
from kiq_django.api import JobRecord
from kiq_django.store import Store
from kiq_django.store.metrics import JobMetrics
from kiq_django.store.sidekiq_metrics import safe_names
from kiq_django.store.steps import MINUTE

SETS = ("dead", "schedule", "retry")
ALL = f"{0:024x}"
"""The id of the job that has all texts in its arguments."""
TRACE = "0badcafe"
CACHES = ("process_cleanup", "kiq:groups:")
"""Beginnings of keys that reading may write: who cleans up, how far somebody has counted."""


@dataclass(frozen=True)
class Thing:
    """What goes by one text."""

    text: str
    number: int
    """Tells it from the others."""

    @property
    def jid(self) -> str:
        """Of a job in the dead set whose failures are on record, and of one in the queue."""
        return f"{self.number:024x}"

    @property
    def operation(self) -> str:
        return f"{self.number:012x}"

    @property
    def identity(self) -> str:
        """Of its process. In the form that all have: a reader of the least rights may look at no other key."""
        return f"{_decodable(self.text)}:1:abc"

    def kwargs(self) -> dict[str, list[str]]:
        """What addresses may be made of, by the name of the placeholder."""
        return {
            "jid": [self.jid, self.text],
            "key": [self.operation],
            "name": [self.text],
            "identity": [self.identity],
        }


class World:
    """Everything, in one Redis and one database."""

    def __init__(self, store: Store, *texts: str) -> None:
        """The last job of the dead set has all texts in its arguments."""
        self.store = store
        self.things = [Thing(text, number) for number, text in enumerate(texts, 1)]
        self._now = clock.now()
        self._commands: list[tuple[Any, ...]] = []
        for thing in self.things:
            self._jobs(thing)
            self._record(thing)
            self._process(thing)
            self._operation(thing)
            self._mark(thing)
        self._all_in_one(texts)

    def make(self) -> "World":
        """Throw away what is in Redis, and put everything there."""
        self.store.link.send([("FLUSHALL",), *self._commands])
        pipe = self.store.link.pipeline()
        for thing in self.things:
            self._figures(pipe, thing)
        self.store.link.execute(pipe)
        return self

    def note(self, user: User) -> None:
        """Have somebody have done something to each, in the audit log."""
        kinds = [ContentType.objects.get_for_model(kind) for kind in (models.Queue, models.Job, models.Process)]
        LogEntry.objects.bulk_create(_entry(user, kind, thing) for thing in self.things for kind in kinds)

    # -- what is there -----------------------------------------------------------------------------

    def state(self) -> dict[bytes, bytes]:
        """All that Redis holds, but for what reading may write."""
        keys = sorted(self.store.link.call("KEYS", "*"))
        kept = [key for key in keys if not key.decode(errors="replace").startswith(CACHES)]
        return dict(zip(kept, self.store.link.send([("DUMP", key) for key in kept]), strict=True)) if kept else {}

    def jids(self) -> set[str]:
        """Ids of all jobs that wait, or are in a set."""
        keys = self.store.keys
        lists = [keys.queue(name) for name in self.store.queues.names()]
        commands = [("LRANGE", key, 0, -1) for key in lists]
        commands += [("ZRANGE", keys.job_set(name), 0, -1) for name in SETS]  # type: ignore[arg-type]
        return {json.loads(raw)["jid"] for found in self.store.link.send(commands) for raw in found}

    def number(self) -> int:
        """How many jobs wait, or are in a set; several may have one id."""
        queues = self.store.queues.sizes(self.store.queues.names())
        return sum(queues.values()) + sum(self.store.sets.count(name) for name in SETS)  # type: ignore[arg-type]

    # -- how forms name it, with one thing alone ---------------------------------------------------

    def key(self, place: str) -> str:
        """Of the row of the job in a list."""
        (thing,) = self.things
        return f"{thing.text if place == 'retry' else thing.jid}:{self._at(place)!r}"

    def hint(self, place: str) -> dict[str, str]:
        """Where the job was seen last."""
        (thing,) = self.things
        return {"place": place, "at": repr(self._at(place)), **({"queue": thing.text} if place == "queue" else {})}

    def fingerprint(self, place: str) -> str:
        """Of its failure."""
        (thing,) = self.things
        return JobRecord(payload(thing, self._now), place).fingerprint

    def _at(self, place: str) -> float:
        (thing,) = self.things
        times = {"dead": -thing.number, "schedule": 3600 + thing.number, "retry": 60 + thing.number, "queue": -50}
        return self._now + times[place]

    # -- how it comes there ------------------------------------------------------------------------

    def _put(self, *command: Any) -> None:
        self._commands.append(tuple(_raw(part) if isinstance(part, str) else part for part in command))

    def _jobs(self, thing: Thing) -> None:
        keys, text = self.store.keys, thing.text
        job = payload(thing, self._now)
        self._put("SADD", keys.queues(), text, "default")
        self._put("LPUSH", keys.queue(text), job)
        self._put("LPUSH", keys.queue("default"), payload(thing, self._now, display_class=text))
        self._put("SADD", keys.paused(""), text)
        self._put("HSET", keys.pause_notes(), text, json.dumps({"by": text, "reason": text, "at": self._now}))
        self._put("ZADD", keys.job_set("dead"), self._now - thing.number, job)
        self._put("ZADD", keys.job_set("schedule"), self._now + 3600 + thing.number, payload(thing, self._now))
        # a job whose id is the text
        self._put("ZADD", keys.job_set("retry"), self._now + 60 + thing.number, payload(thing, self._now, jid=text))

    def _all_in_one(self, texts: Sequence[str]) -> None:
        known = [text for text in texts if _decodable(text) == text]
        fields = {"args": [*known, {"list": known}], "kwargs": {text: text for text in known}, "tags": known}
        job = payload(Thing(texts[0], 0), self._now, **fields, error_backtrace=backtrace.encode(known))
        self._put("ZADD", self.store.keys.job_set("dead"), self._now - 3600, job)

    def _record(self, thing: Thing) -> None:
        text = thing.text
        run = {"started_at": self._now - 9, "seconds": 1.5, "worker": text, "trace": TRACE}
        run |= {"error_class": text, "message": text, "frame": text}
        trace = zlib.compress(json.dumps(lines(text)).encode())
        fields = {"place": "dead", "name": text, "queue": text, "failures": "2", "at": repr(self._now)}
        fields |= {"score": repr(self._now - thing.number), "run:1": json.dumps(run), "run:2": json.dumps(run)}
        flat = [part for pair in fields.items() for part in pair]
        self._put("HSET", self.store.keys.job("", thing.jid), *flat, f"trace:{TRACE}", trace)
        # one of whom nothing but the record is left
        over = [part for pair in (fields | {"place": "done", "end": json.dumps(run)}).items() for part in pair]
        self._put("HSET", self.store.keys.job("", f"over{thing.number}"), *over, f"trace:{TRACE}", trace)

    def _process(self, thing: Thing) -> None:
        keys, text = self.store.keys, thing.text
        info = {"hostname": text, "tag": text, "labels": [text], "version": text, "identity": thing.identity, "pid": 1}
        info |= {"queues": [text, "default"], "weights": [{text: 1, "default": 1}], "concurrency": 5}
        info |= {
            "started_at": self._now - 60,
            "capsules": {text: {"concurrency": 5, "weights": {text: 1}, "mode": text}},
        }
        told = {"info": json.dumps(info), "busy": "2", "beat": repr(self._now), "quiet": "false", "rss": "51200"}
        told |= {"rtt_us": "100", "concurrency": "5"}
        work = {"queue": text, "payload": payload(thing, self._now).decode(), "run_at": int(self._now) - 5}
        identity = thing.identity
        self._put("SADD", keys.processes(), identity)
        self._put("HSET", keys.process(identity), *[part for pair in told.items() for part in pair])
        self._put("HSET", keys.work(identity), text, json.dumps(work), "thread", json.dumps({**work, "payload": text}))
        self._put("PEXPIRE", keys.process(identity), 3_600_000)

    def _operation(self, thing: Thing) -> None:
        keys, text = self.store.keys, thing.text
        where = json.dumps({"text": text, "name": text, "queue": text, "error_class": text, "fingerprint": text})
        told = {"verb": "retry", "place": "queue", "queue": text, "where": where, "by": text, "reason": text}
        told |= {"state": "running", "started_at": repr(self._now), "begun_at": repr(self._now), "size": "10"}
        text = told["by"] = _decodable(text)
        told |= {"queue": text, "reason": text, "runner": text, "error": text, "to": text, "cancelled_by": text}
        told |= {"total": "10", "done": "1"}
        self._put("ZADD", keys.operations(), self._now - thing.number, thing.operation)
        self._put("SADD", keys.open_operations(), thing.operation)
        self._put("HSET", keys.operation(thing.operation), *[part for pair in told.items() for part in pair])

    def _mark(self, thing: Thing) -> None:
        moment = clock_minute(self._now - 60 * (thing.number % 50))
        self._put("HSET", self.store.keys.marks(moment[:10].replace("-", "")), moment, thing.text)

    def _figures(self, pipe: Any, thing: Thing) -> None:
        counts = histogram.empty()
        histogram.add(counts, 30, 2)
        jobs = {_decodable(thing.text): JobMetrics(2, 1, 60.0, counts, counts)}
        self.store.metrics.write(pipe, jobs, self._now)
        self.store.sidekiq_metrics.write(pipe, safe_names(jobs), self._now)
        self.store.totals.write(pipe, 2, 1, self._now)
        self.store.flow.write(pipe, {MINUTE.begin(self._now): {_decodable(thing.text): 2}})


def payload(thing: Thing, now: float, **fields: Any) -> bytes:
    """A job that bears the text in each of its fields."""
    text = thing.text
    document = {
        "class": text, "jid": thing.jid, "queue": text, "retry": True, "created_at": now - 100, "enqueued_at": now - 50,
        "args": [text, {text: text}, [text, [text]]], "kwargs": {text: text, "to": {text: [text]}}, "tags": [text],
        "error_class": text, "error_message": f"{text}\n{text}", "error_frame": text, "failed_at": now - 40,
        "error_backtrace": backtrace.encode(lines(text)), "retry_count": 1, "retried_at": now - 20, "trace_id": text,
        "retry_queue": text, "expires_in": text, "retry_for": text, "encrypted": text, "dead": text, "backtrace": text,
    }  # fmt: skip
    return json.dumps({**document, **fields}).encode()


def lines(text: str) -> list[str]:
    """A traceback: a line of a stranger, one of the project, and some of a library."""
    inner = [f"/venv/lib/python3.11/site-packages/{text}/api.py:59:in `{text}`"] * 2
    return [text, f"{text}.py:88:in `{text}`", *inner]


def clock_minute(moment: float) -> str:
    """As marks of deploys are named."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:00Z}"


def _entry(user: User, kind: ContentType, thing: Thing) -> LogEntry:
    text = _decodable(thing.text)
    told = {"verb": text, "count": 3, "reason": text, "details": {text: text}}
    message = json.dumps([{"kiq": told, "changed": {"fields": [text]}}])
    return LogEntry(
        user=user, content_type=kind, object_id=thing.jid, object_repr=text[:200], action_flag=2, change_message=message
    )


def _raw(text: str) -> bytes:
    """Keys are bytes: half a character can stand there, in what is no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def _decodable(text: str) -> str:
    return _raw(text).decode(errors="replace")
