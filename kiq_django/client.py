"""Hands payloads over: at once, or when the open transactions have committed, or by way of the outbox."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, overload

from asgiref.sync import sync_to_async

from kiq_django import adapters, backpressure, plugins, results, transactions
from kiq_django.bulk import Slice, for_each, slices
from kiq_django.delivery import PLAIN, Care, Convoy, adeliver, deliver, refuse_unusable
from kiq_django.exceptions import QueueFull, ResultNotKept, StoreError, StoreUnavailable
from kiq_django.jids import JidRange
from kiq_django.payload import RESULT, Payload

__all__ = ["Handle", "JobIds", "apush", "push", "push_many", "refuse_unusable"]


@dataclass(frozen=True, slots=True)
class Handle:
    """What `enqueue` returns. False when a client link vetoed the job, which only a push at once can tell."""

    id: str
    """The job's id, final even before the transaction commits."""
    job: str
    """The name of the job."""
    vetoed: bool = False
    keeps: float = 0
    """Seconds that its result is kept; 0 for a job that keeps none."""

    def __bool__(self) -> bool:
        return not self.vetoed

    def result(self, timeout: float | None = None) -> Any:
        """What the job returns. Waits for its end, at most `timeout` seconds; it does not ask the server hard.

        Raises:
            JobFailed: it failed for good; the error has the worker's traceback.
            ResultTimeout: it is not over yet.
            ResultNotKept: it was not declared with `result`.
            ResultGone: nothing is known of it: it has expired, or waits for a commit.
            ReferenceGone: it returned a row of the database that does not exist any more.
            StoreError: Redis does not answer.
        """
        self._refuse_unkept()
        return results.wait(self.id, self.job, timeout)

    async def aresult(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as its sync twin
        """`result` from an event loop."""
        self._refuse_unkept()
        return await results.await_(self.id, self.job, timeout)

    def progress(self) -> results.Progress | None:
        """How far the job says to be; None while it has said nothing.

        Raises:
            ResultNotKept, StoreError: as for `result`.
        """
        self._refuse_unkept()
        found = results.get(self.id)
        return found.progress if found else None

    async def aprogress(self) -> results.Progress | None:
        """`progress` from an event loop."""
        self._refuse_unkept()
        found = await results.aget(self.id)
        return found.progress if found else None

    def _refuse_unkept(self) -> None:
        if not self.keeps:
            raise ResultNotKept(f"{self.job} keeps no result. Declare it with @job(result=...), seconds to keep it")


class JobIds(Sequence[str | None]):
    """The ids of a bulk, None where a client link vetoed; a million cost as much as one."""

    def __init__(self, ids: JidRange) -> None:
        self._ids = ids
        self._vetoed: set[int] = set()

    def _veto(self, index: int) -> None:
        self._vetoed.add(index)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[str | None]: ...
    def __getitem__(self, index: int | slice) -> str | list[str | None] | None:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        found = self._ids[index]
        return None if index % len(self) in self._vetoed else found


def _handle(payload: Payload) -> Handle:
    document = payload.document
    return Handle(document["jid"], document["class"], keeps=document.get(RESULT, 0))


def push(payload: Payload, *, on_commit: bool, care: Care = PLAIN) -> Handle:
    """Push one job, after the commit of the open transactions if wanted.

    Raises:
        PayloadError: it is larger than `KIQ["LIMITS"]["payload"]`, or not JSON.
        Unsupported: it is scheduled, and the adapter has no schedule.
        NotReplicated: it is pushed, and fewer replicas have it than `care` wants.
        QueueFull: its queue has a limit, and no room.
        StoreError: Redis did not take it; with an outbox it waits there instead.
    """
    if care.bound:
        admit(care)
    if on_commit and transactions.open_connections():
        _hold([payload], care)
        return _handle(payload)
    (pushed,) = _deliver([payload], care if on_commit else _without_outbox(care))
    if pushed is None:
        return Handle(payload.jid, payload.name, vetoed=True)
    return _handle(pushed)


async def apush(payload: Payload, *, on_commit: bool, care: Care = PLAIN) -> Handle:
    """`push` from an event loop. Without a thread between, unless a transaction may be open, or the push wants care:
    then in the thread where those of this context are."""
    if care != PLAIN or not transactions.none_open_anywhere():
        return await sync_to_async(push, thread_sensitive=True)(payload, on_commit=on_commit, care=care)
    pushed = await adeliver(payload)
    return Handle(payload.jid, payload.name, vetoed=True) if pushed is None else _handle(pushed)


def push_many(parts: Iterable[Slice], ids: JidRange, *, on_commit: bool, care: Care = PLAIN) -> JobIds:
    """Push jobs a slice a round trip, each as soon as it is there; `ids` are those of the payloads.

    Held back for a commit they are all in memory until then, and no veto is known.

    Raises:
        The same as `push`. Slices that are gone stay gone.
    """
    result = JobIds(ids)
    admit(care)
    if on_commit and transactions.open_connections():
        _hold([payload for part in parts for payload in part], care)
        return result
    count, care = 0, care if on_commit else _without_outbox(care)
    with Convoy() as convoy:
        for part in parts:
            if count:
                admit(care)
            if care != PLAIN or not convoy.deliver(part):
                convoy.arrive()
                for index, pushed in enumerate(_deliver(list(part), care), count):
                    if pushed is None:
                        result._veto(index)
            count += len(part)
    return result


def _without_outbox(care: Care) -> Care:
    """A push that waits for no transaction belongs to none."""
    return replace(care, outbox=False) if care.outbox else care


def admit(care: Care) -> None:
    """Ask a queue with a limit for room; in a transaction when the job is enqueued, since after the commit is late.

    Raises:
        QueueFull: it has none.
        StoreError: it is not known, and no outbox will take the job.
    """
    if care.bound is None:
        return
    try:
        backpressure.admit(care.bound)
    except QueueFull:
        raise
    except StoreError:
        if not is_kept(care):  # the outbox takes what Redis cannot
            raise


def is_kept(care: Care) -> bool:
    """Whether it goes by way of the outbox: what is lost with the process anyway needs no row that outlives it."""
    return care.outbox and adapters.get().persistent


def _hold(payloads: Sequence[Payload], care: Care) -> None:
    payloads = [plugins.stamped(payload) for payload in payloads]
    for payload in payloads:
        refuse_unusable(payload)
    if is_kept(care):
        from kiq_django.outbox import sending  # models, which cannot be imported before the apps are

        transactions.hold(payloads, sending.enter(payloads, care.replicas))
    else:
        transactions.hold(payloads, _flush(care.replicas))


@cache
def _flush(replicas: int) -> transactions.Flush:
    """One object for all jobs of a kind: what is held with the same is handed over in one call."""
    return partial(_flush_all, replicas)


def _flush_all(replicas: int, payloads: Sequence[Payload]) -> None:
    """After the commit no caller is there to push again what an error for some has left out."""
    for_each(partial(deliver, replicas=replicas), slices(payloads), ends=(StoreUnavailable,))


def _deliver(payloads: Sequence[Payload], care: Care) -> Sequence[Payload | None]:
    if is_kept(care):
        from kiq_django.outbox import sending

        return sending.deliver_or_keep(payloads, care.replicas)
    return deliver(payloads, care.replicas)
