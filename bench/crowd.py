"""A busy program as the dashboard finds it in Redis and in the database: as many jobs of each kind as one asks for.

Payloads have the fields and the size of real ones, some 500 bytes. What failed has one of 20 errors, which makes 60
kinds with the names of the jobs.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kiq_django.jids import TICKS

if TYPE_CHECKING:
    from kiq_django.store import Store
    from kiq_django.store.metrics import JobMetrics

APPS = ("shop", "billing", "mail", "stock", "reports", "search")
VERBS = ("charge", "receipt", "digest", "sync", "build", "index", "import_rows", "resize", "notify", "prune")
NAMES = [f"{app}.jobs.{verb}" for app in APPS for verb in VERBS]
FAULTS = [
    ("billing.errors.CardTimeout", "gateway timed out after %d s", "gateway.py:88 in charge"),
    ("ConnectionResetError", "[Errno 104] Connection reset by peer (try %d)", "http.py:31 in post"),
    ("KeyError", "'price_%d'", "prices.py:140 in price_of"),
    ("MemoryError", "cannot take %d bytes", "build.py:17 in table"),
    ("django.db.utils.OperationalError", "deadlock detected: process %d waits", "models.py:61 in reserve"),
]
ERRORS = [(error, text, f"{app}/{place}") for app in APPS[:4] for error, text, place in FAULTS]
SETS = ("schedule", "retry", "dead")
BULK = 2_000
"""Jobs sent at once."""
HEAD = (
    b'{"class":"%b","args":[%d,{"order":"A-%d","to":"customer%d@example.com","token":"3f9ac1","lines":[%d,%d,%d],'
    b'"note":"leave it at the door, please"}],"jid":"%b","queue":"%b","retry":true,"tags":["eu","web"],'
    b'"created_at":%.6f,"enqueued_at":%.6f,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"'
)
FAILED = (
    b',"retry_count":%d,"failed_at":%.6f,"retried_at":%.6f,"error_class":"%b","error_message":"%b","error_frame":"%b"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How much there is."""

    waiting: int = 1_000_000
    """Jobs in the queue `default`."""
    queues: int = 200
    """Further queues, of up to 20 jobs."""
    in_set: int = 100_000
    """Jobs in each of schedule, retry and dead."""
    processes: int = 20
    threads: int = 10
    """Busy ones of each process."""
    busy_jobs: int = 50
    """Names that have metrics."""
    minutes: int = 480
    """For which they have them."""
    operations: int = 200
    entries: int = 1_000
    """In the audit log."""

    def smaller(self, times: int) -> Crowd:
        """The same program with fewer jobs: all else is as large."""
        return replace(self, waiting=self.waiting // times, in_set=self.in_set // times)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Jobs to look for."""

    queued: str
    """Id of the one in the middle of the queue."""
    queued_at: float
    """When it came there."""
    in_sets: dict[str, tuple[str, float]]
    """Id and score of one in the middle of each set."""
    running: str
    operation: str


def fill(store: Store, crowd: Crowd) -> Landmarks:
    """Put it all into an empty Redis."""
    now = time.time()
    stamps = _moments(crowd.waiting, now)
    queued = _queue(store, "default", crowd.waiting, stamps)
    for number in range(crowd.queues):
        _queue(store, f"queue{number}", number % 21, _moments(number % 21, now))
    in_sets = {name: _set(store, name, crowd.in_set, now) for name in SETS}
    running = _processes(store, crowd, now)
    _metrics(store, crowd, now)
    return Landmarks(*queued, in_sets, running, _operations(crowd))


def _moments(count: int, now: float) -> Callable[[int], float]:
    """When the job of a number came: over the last hour, in order."""
    return lambda number: now - 3600 + 3600 * number / max(1, count)


def _jid(moment: float, number: int) -> str:
    return f"{int(moment * TICKS):012x}{number:012x}"


def _head(number: int, jid: str, queue: str, moment: float) -> bytes:
    name = NAMES[number % len(NAMES)].encode()
    figures = (number, 10_000 + number, number % 9_973, number % 7, number % 11, number % 13)
    return HEAD % (name, *figures, jid.encode(), queue.encode(), moment, moment)


def _queue(store: Store, queue: str, count: int, moment_of: Callable[[int], float]) -> tuple[str, float]:
    """Fill a queue, the oldest job first. Returns the one in the middle."""
    key = store.keys.queue(queue)
    made = ((_jid(moment_of(i), i), moment_of(i), i) for i in range(count))
    for bulk in _bulks(_head(i, jid, queue, at) + b"}" for jid, at, i in made):
        store.link.call("LPUSH", key, *bulk)
    store.link.call("SADD", store.keys.queues(), queue)
    middle = count // 2
    return _jid(moment_of(middle), middle), round(moment_of(middle), 6)


def _set(store: Store, name: Any, count: int, now: float) -> tuple[str, float]:
    """Fill a set; what is to come is spread over a day, what died over the last days."""
    key, step = store.keys.job_set(name), 86_400 / max(1, count)
    sign = -3.0 if name == "dead" else 1.0
    for bulk in _bulks(_member(name, i, now, sign * step * (i + 1)) for i in range(count)):
        store.link.call("ZADD", key, *(part for score, raw in bulk for part in (repr(score), raw)))
    middle = count // 2
    return _jid_in(name, middle, now), now + sign * step * (middle + 1)


def _member(name: str, number: int, now: float, due: float) -> tuple[float, bytes]:
    made = now - 86_400 - number % 3600
    head = _head(number, _jid_in(name, number, now), "default" if number % 3 else f"queue{number % 7}", made)
    if name == "schedule":
        return now + due, head + b"}"
    error, message, frame = (text.encode() for text in ERRORS[number % len(ERRORS)])
    failed = now - number % 86_400
    return now + due, head + FAILED % (number % 25, made, failed, error, message % number, frame) + b"}"


def _jid_in(name: str, number: int, now: float) -> str:
    """Another one in each set."""
    return _jid(now - 86_400 - number % 3600, number + 10_000_000 * (1 + SETS.index(name)))


def _bulks(made: Iterator[Any]) -> Iterator[list[Any]]:
    while bulk := list(itertools.islice(made, BULK)):
        yield bulk


def _processes(store: Store, crowd: Crowd, now: float) -> str:
    """Have processes say that they live, and what they run. Returns a running job's id."""
    for number in range(crowd.processes):
        identity = f"web-{number}:{4_000 + number}:{number:012x}"
        queues = ["default", *(f"queue{each}" for each in range(number, crowd.queues, max(1, crowd.processes)))]
        info = {"hostname": f"web-{number}", "started_at": now - 7200, "pid": 4_000 + number, "tag": "shop",
                "concurrency": crowd.threads + 5, "queues": queues, "weights": [dict.fromkeys(queues, 1)],
                "labels": [], "identity": identity, "version": "kiq_django 0.1.0"}  # fmt: skip
        work = {f"t{thread}": _work(number * crowd.threads + thread, now) for thread in range(crowd.threads)}
        fields = {"info": json.dumps(info), "concurrency": str(crowd.threads + 5), "busy": str(len(work)),
                  "beat": repr(now), "rtt_us": "300", "quiet": "false", "rss": "128000"}  # fmt: skip
        store.processes.beat(identity, fields, work)
        store.link.call("PERSIST", store.keys.process(identity))  # a measurement takes longer than a beat is good for
    return _jid(now - 30, 0)


def _work(number: int, now: float) -> bytes:
    payload = _head(number, _jid(now - 30, number), "default", now - 30) + b"}"
    return json.dumps({"queue": "default", "payload": payload.decode(), "run_at": int(now - number % 90)}).encode()


def _metrics(store: Store, crowd: Crowd, now: float) -> None:
    """Figures of each minute, and sizes of queues of the last ones."""
    jobs = _counted(crowd.busy_jobs)
    names = [f"queue{number}" for number in range(min(50, crowd.queues))]
    for back in range(crowd.minutes):
        moment = now - 60 * back
        store.ledger.write(jobs, moment, {int(moment // 60) * 60: {"default": 1_000, **dict.fromkeys(names, 3)}})
    for back in range(10):
        store.sizes.take((now // 60 - back) * 60)
    store.deploys.mark("3f2a9c", now - 1800)


def _counted(number: int) -> dict[str, JobMetrics]:
    from kiq_django import histogram
    from kiq_django.store.metrics import JobMetrics

    chance, found = random.Random(1), {}
    for name in NAMES[:number]:
        seen = found[name] = JobMetrics(runs=20, failures=1)
        for _ in range(20):
            ms = chance.expovariate(1 / 200)
            seen.run_ms += ms
            histogram.add(seen.run, ms)
            histogram.add(seen.wait, chance.expovariate(1 / 50))
    return found


def _operations(crowd: Crowd) -> str:
    """Begin so many operations, without a runner. Returns the id of the last."""
    from kiq_django.api import Operations, Queue
    from kiq_django.api.filters import Filter

    last = ""
    for number in range(crowd.operations):
        where = Filter(name=NAMES[number % len(NAMES)])
        last = Operations().start("delete", Queue("queue0"), where, by="ada", reason=f"number {number}").id
    return last


def audit_log(crowd: Crowd, person: int) -> None:
    """Write entries into the admin's history."""
    from django.contrib.admin.models import CHANGE, LogEntry
    from django.contrib.contenttypes.models import ContentType

    from kiq_django import models

    kinds = ContentType.objects.get_for_models(models.Queue, models.Job, models.Process)
    told = json.dumps([{"kiq": {"verb": "retry", "count": 3, "reason": "it is back", "details": {"in": "dead"}}}])
    LogEntry.objects.bulk_create(
        LogEntry(user_id=person, content_type=kind, object_id=f"{number:024x}", object_repr=f"{number:024x}",
                 action_flag=CHANGE, change_message=told)
        for number, kind in zip(range(crowd.entries), itertools.cycle(kinds.values()), strict=False)
    )  # fmt: skip
