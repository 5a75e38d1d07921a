"""Worker processes, and what each of their threads runs now."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kiq_django import clock, codec
from kiq_django import store as stores
from kiq_django.api.records import JobRecord
from kiq_django.exceptions import MalformedPayload, StoreRefused
from kiq_django.store import Store
from kiq_django.store.processes import Found

MILLISECONDS_FROM = 1e11
"""Epoch times above are milliseconds: in seconds that is the year 5138."""


class Process:
    """One worker process as its last beat described it; what it did not say is empty or 0.

    Signals reach it at its next beat, one at each.
    """

    def __init__(self, store: Store, found: Found) -> None:
        self._store = store
        self._found = found

    @property
    def identity(self) -> str:
        """`host:pid:nonce`."""
        return self._found.identity

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """Everything that it said of itself at its start."""
        return _object(self._found.fields.get("info", ""))

    @property
    def hostname(self) -> str:
        return str(self.info.get("hostname") or "")

    @property
    def pid(self) -> int:
        return int(_number(self.info.get("pid")))

    @property
    def tag(self) -> str:
        """Set by who started it; its project's folder unless told otherwise."""
        return str(self.info.get("tag") or "")

    @property
    def labels(self) -> list[str]:
        labels = self.info.get("labels")
        return [str(label) for label in labels] if isinstance(labels, list) else []

    @property
    def version(self) -> str:
        """Of the worker: `kiq_django 1.2.3`, or a bare number for Sidekiq."""
        return str(self.info.get("version") or "")

    @property
    def started_at(self) -> float:
        """Epoch seconds."""
        return _seconds(self.info.get("started_at"))

    @property
    def queues(self) -> list[str]:
        """Names of the queues that it serves."""
        queues = self.info.get("queues")
        return [str(queue) for queue in queues] if isinstance(queues, list) else list(self.weights)

    @property
    def weights(self) -> dict[str, int]:
        """Weight by queue, over all capsules; all 0 is strict order."""
        given = self.info.get("weights")
        capsules = given if isinstance(given, list) else [given]
        return {
            str(queue): int(_number(weight))
            for capsule in capsules
            if isinstance(capsule, dict)
            for queue, weight in capsule.items()
        }

    @property
    def capsules(self) -> Mapping[str, Mapping[str, Any]]:
        """`concurrency`, `mode` and `weights` by name, of workers that tell."""
        capsules = self.info.get("capsules")
        return capsules if isinstance(capsules, dict) else {}

    @property
    def concurrency(self) -> int:
        """Jobs that it can run at once, those of its event loop apart."""
        return int(_number(self._found.fields.get("concurrency") or self.info.get("concurrency")))

    @property
    def busy(self) -> int:
        """Jobs that it runs."""
        return int(_number(self._found.fields.get("busy")))

    @property
    def is_quiet(self) -> bool:
        """It takes no more jobs."""
        return self._found.fields.get("quiet") == "true"

    @property
    def rss(self) -> int:
        """Memory that it occupies, in kilobytes."""
        return int(_number(self._found.fields.get("rss")))

    @property
    def rtt(self) -> int:
        """Microseconds of a round trip between it and Redis."""
        return int(_number(self._found.fields.get("rtt_us")))

    @property
    def beat(self) -> float:
        """When it was last heard of, epoch seconds by its clock."""
        return _number(self._found.fields.get("beat"))

    @property
    def embedded(self) -> bool:
        """It lives inside of another program, and heeds no signals."""
        return self.info.get("embedded") is True

    @cached_property
    def work(self) -> list["Work"]:
        """What it runs, the longest running first."""
        found = [_work(self, thread, text) for thread, text in self._found.work.items()]
        return sorted((work for work in found if work), key=lambda work: work.run_at)

    def quiet(self) -> None:
        """Have it take no more jobs; what runs goes on, and the process stays. Nothing but a restart undoes it."""
        self._store.processes.signal([self.identity], "TSTP")

    def stop(self) -> None:
        """End it: what runs may finish within its shutdown timeout, the rest goes back to its queue."""
        self._store.processes.signal([self.identity], "TERM")

    def dump_threads(self) -> None:
        """Have it log what each of its threads does."""
        self._store.processes.signal([self.identity], "TTIN")

    def __repr__(self) -> str:
        return f"<Process {self.identity}>"


@dataclass(frozen=True, slots=True)
class Work:
    """One running job."""

    process: Process
    thread: str
    queue: str
    run_at: float
    """When it began, epoch seconds."""
    record: JobRecord

    @property
    def elapsed(self) -> float:
        """Seconds that it has run."""
        return max(0.0, clock.now() - self.run_at)


class ProcessSet:
    """The processes that live: heard of within the last minute."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or stores.get()
        with suppress(StoreRefused):  # read-only or full: then the dead stay on the list, and are passed over
            self._store.processes.prune()

    def __iter__(self) -> Iterator[Process]:
        """By identity, so by host."""
        found = self._store.processes.read(self._store.processes.identities())
        return iter([Process(self._store, each) for each in found])

    def find(self, identity: str) -> Process | None:
        """The process of this identity, if it lives."""
        found = self._store.processes.read([identity])
        return Process(self._store, found[0]) if found else None

    @property
    def size(self) -> int:
        """How many live."""
        return len(list(self))

    def __repr__(self) -> str:
        return "<ProcessSet>"


class WorkSet:
    """All running jobs, as the last beat of each process told."""

    def __init__(self, store: Store | None = None) -> None:
        self._processes = ProcessSet(store)

    def __iter__(self) -> Iterator[Work]:
        """The longest running first."""
        running = [work for process in self._processes for work in process.work]
        return iter(sorted(running, key=lambda work: work.run_at))

    @property
    def size(self) -> int:
        """How many run."""
        return sum(process.busy for process in self._processes)

    def find(self, jid: str) -> Work | None:
        """The running job of this id."""
        return next((work for work in self if work.record.jid == jid), None)

    def __repr__(self) -> str:
        return "<WorkSet>"


def _work(process: Process, thread: str, text: bytes) -> Work | None:
    """An entry that nobody can read is passed over, a job inside it that nobody can read is shown."""
    entry = _object(text)
    if not entry:
        return None
    inner = entry.get("payload")
    raw = inner.encode(errors="replace") if isinstance(inner, str) else codec.dump_bytes(inner)
    queue, run_at = str(entry.get("queue") or ""), _seconds(entry.get("run_at"))
    return Work(process, thread, queue, run_at, JobRecord(raw, "running", queue=queue, at=run_at))


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        found = codec.loads(text)
    except MalformedPayload:
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> float:
    try:
        number = float(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def _seconds(value: Any) -> float:
    number = _number(value)
    return number / 1000 if number >= MILLISECONDS_FROM else number
