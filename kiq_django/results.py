"""What jobs return, for those that keep it (`@job(result=...)`), and how far running jobs say to be.

With the adapter `redis` both stand in the job's record. With the others this process remembers the last 10,000.
"""

import asyncio
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from asgiref.sync import sync_to_async

from kiq_django import arguments, clock, conf, rich_values
from kiq_django.codec import dump_bytes, loads
from kiq_django.exceptions import (
    ArgumentError,
    JobFailed,
    MalformedPayload,
    PayloadError,
    ResultError,
    ResultGone,
    ResultTimeout,
)
from kiq_django.payload import TASK

MOST_IN_MEMORY: Final = 10_000
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.005, 0.5, 1.5
"""Seconds between two looks at a result that is awaited: a short job is heard of at once, a long one asks little."""
TEXT_CHARACTERS: Final = 200

State = Literal["waiting", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, as it says."""

    done: float
    total: float | None
    """None where the job does not know."""
    text: str
    at: float
    """Epoch seconds."""
    attempt: int
    """Which run said so, from 1."""

    @property
    def share(self) -> float | None:
        """From 0.0 to 1.0; None without a total."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known of a job that keeps its result."""

    state: State = "waiting"
    """`waiting` until it is over: in its queue, for a retry, or while it runs."""
    value: bytes = b""
    """As it was dumped: it may stand for rows, and who asks for the state, or the progress, does not want those."""
    error_class: str = ""
    message: str = ""
    traceback: str = ""
    progress: Progress | None = None


# --- asking ---


def get(jid: str) -> Outcome | None:
    """What is known now, in one round trip. None when nothing is, or not any more.

    Raises:
        StoreError: Redis does not answer.
    """
    if conf.get().adapter != "redis":
        return _memory.get(jid)
    from kiq_django import store  # imports the Redis library

    return _read(store.get().results.read(jid))


async def aget(jid: str) -> Outcome | None:
    """`get` from an event loop."""
    if conf.get().adapter != "redis":
        return _memory.get(jid)
    from kiq_django import store

    return _read(await store.get().results.aread(jid))


def wait(jid: str, job: str, timeout: float | None) -> Any:
    """What a job returned, once it is over.

    Raises:
        JobFailed: it failed for good; the error has the worker's traceback.
        ResultTimeout: it is not over after so many seconds.
        ResultGone: nothing is known of it (any more).
        ReferenceGone: it is a row of the database that does not exist any more.
    """
    for pause in _pauses(timeout):
        outcome = get(jid)
        if outcome is None or outcome.state != "waiting":
            return load(_settled(outcome, jid, job))
        time.sleep(pause)
    raise _too_late(jid, job, timeout)


async def await_(jid: str, job: str, timeout: float | None) -> Any:  # noqa: ASYNC109 - as its sync twin
    """`wait` from an event loop."""
    for pause in _pauses(timeout):
        outcome = await aget(jid)
        if outcome is None or outcome.state != "waiting":
            return await _aload(_settled(outcome, jid, job))
        await asyncio.sleep(pause)
    raise _too_late(jid, job, timeout)


def _pauses(timeout: float | None) -> Iterator[float]:
    """Growing ones, of which the last ends with the time; then there is one more look."""
    end = None if timeout is None or conf.get().adapter == "test" else clock.monotonic() + timeout
    if conf.get().adapter == "test":
        yield 0.0  # nobody but the test itself will run it
        return
    pause = FIRST_PAUSE
    while end is None or clock.monotonic() < end:
        yield pause if end is None else max(0.0, min(pause, end - clock.monotonic()))
        pause = min(pause * GROWTH, LONGEST_PAUSE)
    yield 0.0


def _settled(outcome: Outcome | None, jid: str, job: str) -> bytes:
    if outcome is None:
        raise ResultGone(
            f"Nothing is known of the result of {job} {jid}: it has expired, its transaction was rolled back or has "
            "not committed yet, or it was never kept"
        )
    if outcome.state == "failed":
        raise JobFailed(job, jid, outcome.error_class, outcome.message, outcome.traceback)
    return outcome.value


def _too_late(jid: str, job: str, timeout: float | None) -> ResultTimeout:
    if conf.get().adapter == "test":
        return ResultTimeout(f"{job} {jid} waits in the adapter 'test'. Run it first: kiq_django.testing.drain()")
    return ResultTimeout(f"{job} {jid} is not over after {timeout:g} s. It goes on; ask again later")


def _read(stored: Any) -> Outcome | None:
    if stored is None or not stored.is_kept:
        return None
    progress, record = read_progress(stored.progress), stored.record
    if record is None or record.place in ("retry", "schedule"):
        return Outcome(progress=progress)
    if record.place == "done":
        return Outcome(state="done", value=stored.result, progress=progress)
    last = record.attempts[-1] if record.attempts else None
    told = (last.error_class, last.message, last.text) if last else ("", "", "")
    return Outcome(state="failed", error_class=told[0], message=told[1], traceback=told[2], progress=progress)


# --- values ---


def dump(value: Any) -> bytes:
    """A result as it is stored: as arguments travel.

    Raises:
        ResultError: it cannot be.
    """
    try:
        ready, _, _ = arguments.dump([value], {}, ["the result"])
        raw = dump_bytes(ready[0])
    except (ArgumentError, PayloadError) as error:
        raise ResultError(f"The result of this job cannot be kept: {error}") from error
    limit = conf.get().limits.payload
    if len(raw) > limit:
        raise ResultError(
            f"The result of this job has {len(raw):,} bytes, more than KIQ['LIMITS']['payload'] allows ({limit:,}). "
            "Store the data, and return its id"
        )
    return raw


def refuse_unusable(document: Mapping[str, Any], value: Any) -> None:
    """Raise as the job's own error what its settle could not say any more. The backend of tasks has its own rules.

    Raises:
        ResultError: the result cannot be stored.
    """
    if TASK not in document:
        dump(value)


def load(raw: bytes) -> Any:
    """What was dumped; None for nothing.

    Raises:
        ReferenceGone: it is a row of the database that does not exist any more.
    """
    if not raw:
        return None
    try:
        args, _ = arguments.load([loads(raw)], {})
    except MalformedPayload as error:
        raise ResultGone(f"The stored result cannot be read: {error}") from error
    return args[0]


async def _aload(raw: bytes) -> Any:
    """`load` from an event loop, where the database must not be asked."""
    if rich_values.MARK.encode() not in raw:
        return load(raw)
    return await sync_to_async(load, thread_sensitive=True)(raw)


def dump_progress(done: float, total: float | None, text: str, attempt: int) -> bytes:
    """What a job says, for its record."""
    return json.dumps(asdict(Progress(done, total, text[:TEXT_CHARACTERS], clock.now(), attempt))).encode()


def read_progress(raw: bytes) -> Progress | None:
    """None for nothing, or what makes no sense: Redis may hold anything."""
    try:
        told = json.loads(raw)
        total = None if told["total"] is None else float(told["total"])
        found = Progress(float(told["done"]), total, str(told["text"]), float(told["at"]), int(told["attempt"]))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return found if found.done - found.done == 0 and (total is None or total - total == 0) else None


def tell(jid: str, progress: bytes) -> None:
    """Store how far a job is."""
    if conf.get().adapter != "redis":
        return _memory.tell(jid, progress)
    from kiq_django import store

    return store.get().results.tell(jid, progress)


async def atell(jid: str, progress: bytes) -> None:
    """`tell` from an event loop."""
    if conf.get().adapter != "redis":
        return _memory.tell(jid, progress)
    from kiq_django import store

    return await store.get().results.atell(jid, progress)


# --- adapters that keep nothing in Redis ---


class Memory:
    """The outcomes that this process remembers."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Outcome] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, jid: str) -> Outcome | None:
        return self._known.get(jid)

    def keep(self, jid: str, outcome: Outcome) -> None:
        with self._lock:
            self._known[jid] = outcome
            while len(self._known) > MOST_IN_MEMORY:
                self._known.popitem(last=False)

    def tell(self, jid: str, progress: bytes) -> None:
        self.keep(jid, Outcome(progress=read_progress(progress)))

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


_memory = Memory()
conf.on_reset(_memory.clear)


def entered(jid: str) -> None:
    """A job that keeps its result was pushed to an adapter of this process."""
    _memory.keep(jid, Outcome())


def ended(jid: str, value: Any) -> None:
    """It returned this."""
    _memory.keep(jid, Outcome(state="done", value=dump(value)))


def failed(jid: str, error: BaseException, traceback: str) -> None:
    """It failed for good."""
    cls = type(error)
    path = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    _memory.keep(jid, Outcome(state="failed", error_class=path, message=str(error), traceback=traceback))
