"""From a payload to the adapter: wait for the commit, client links, the size limit, the push."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import overload

from asgiref.sync import sync_to_async

from kiq_django import adapters, clock, conf, middleware, plugins, registry, signals, transactions, wire
from kiq_django.exceptions import PayloadError, Unsupported
from kiq_django.jids import JidRange
from kiq_django.payload import ABSENT, Payload

SLICE = 1_000


@dataclass(frozen=True, slots=True)
class Handle:
    """What `enqueue` returns. False when a client link vetoed the job, which only a push at once can tell."""

    id: str
    """The job's id, final even before the transaction commits."""
    job: str
    """The name of the job."""
    vetoed: bool = False

    def __bool__(self) -> bool:
        return not self.vetoed


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


def push(payload: Payload, *, on_commit: bool) -> Handle:
    """Push one job, after the commit of the open transactions if wanted.

    Raises:
        PayloadError: it is larger than `KIQ["LIMITS"]["payload"]`, or not JSON.
        Unsupported: it is scheduled, and the adapter has no schedule.
        StoreError: Redis did not take it.
    """
    if on_commit and transactions.open_connections():
        _verify(_stamp(payload, clock.now()))
        transactions.hold([payload], _flush)
        return Handle(payload.jid, payload.name)
    (pushed,) = _deliver([payload])
    if pushed is None:
        return Handle(payload.jid, payload.name, vetoed=True)
    return Handle(pushed.jid, pushed.name)


async def apush(payload: Payload, *, on_commit: bool) -> Handle:
    """`push` from an event loop. Without a thread between, unless a transaction may be open: then in the thread where
    those of this context are."""
    if not transactions.none_open_anywhere():
        return await sync_to_async(push, thread_sensitive=True)(payload, on_commit=on_commit)
    accepted = await _achain()(payload)
    if accepted is None:
        return Handle(payload.jid, payload.name, vetoed=True)
    pushed = _verify(_stamp(accepted, clock.now()))
    await adapters.get().apush([pushed])
    if signals.job_enqueued.receivers:
        _announce([pushed])
    return Handle(pushed.jid, pushed.name)


def refuse_unusable(payload: Payload) -> None:
    """Raise at once what a push after the commit would raise too late.

    Raises:
        PayloadError, Unsupported: as for `push`.
    """
    _verify(_stamp(payload, clock.now()))


def push_many(payloads: Iterable[Payload], ids: JidRange, *, on_commit: bool) -> JobIds:
    """Push jobs a thousand a round trip, each slice as soon as it is full; `ids` are those of the payloads.

    Held back for a commit they are all in memory until then, and no veto is known.

    Raises:
        The same as `push`. Slices that are gone stay gone.
    """
    result = JobIds(ids)
    if on_commit and transactions.open_connections():
        held, now = list(payloads), clock.now()
        for payload in held:
            _verify(_stamp(payload, now))
        transactions.hold(held, _flush)
        return result
    count = 0
    for part in _slices(payloads):
        for index, pushed in enumerate(_deliver(part), count):
            if pushed is None:
                result._veto(index)
        count += len(part)
    return result


def _flush(payloads: Sequence[Payload]) -> None:
    for part in _slices(payloads):
        _deliver(part)


def _slices(payloads: Iterable[Payload]) -> Iterator[list[Payload]]:
    iterator = iter(payloads)
    while part := list(islice(iterator, SLICE)):
        yield part


def _deliver(payloads: Sequence[Payload]) -> list[Payload | None]:
    """Client links and push. What passes is pushed even where the link of another payload raised.

    Returns:
        What was pushed, None for each payload that a link vetoed.
    """
    passed, trouble = _pass(payloads)
    ready = [payload for payload in passed if payload is not None]
    if ready:
        adapters.get().push(ready)
        if signals.job_enqueued.receivers:
            _announce(ready)
    if trouble is not None:
        raise trouble
    return passed


def _pass(payloads: Sequence[Payload]) -> tuple[list[Payload | None], Exception | None]:
    chain = _chain()
    now = clock.now()
    passed: list[Payload | None] = []
    trouble: Exception | None = None
    for payload in payloads:
        try:
            accepted = chain(payload)
            passed.append(_verify(_stamp(accepted, now)) if accepted is not None else None)
        except Exception as error:  # noqa: BLE001 - raised by _deliver, after the push of the others
            trouble = trouble or error
            passed.append(None)
    return passed, trouble


@cache
def _chain() -> middleware.Endpoint:
    return middleware.compose(plugins.client_links(), _accept)


@cache
def _achain() -> middleware.AsyncEndpoint:
    return middleware.acompose(plugins.client_links(), _aaccept)


conf.on_reset(_chain.cache_clear)
conf.on_reset(_achain.cache_clear)


def _accept(payload: Payload) -> Payload:
    return payload


async def _aaccept(payload: Payload) -> Payload:
    return payload


def _stamp(payload: Payload, now: float) -> Payload:
    """A time that is not ahead means now. Only what goes to a queue has `enqueued_at`."""
    at = payload.at
    if at is None:
        return wire.outgoing(Payload({**payload.document, "enqueued_at": now}))  # `evolve` in short, on the hot path
    if at <= now:
        return wire.outgoing(payload.evolve(at=ABSENT, enqueued_at=now))
    return wire.outgoing(payload)


def _verify(payload: Payload) -> Payload:
    """Refuse what cannot be pushed; at the call too if the push waits, since after the commit is late."""
    size, limit = len(payload.encode()), conf.get().limits.payload
    if size > limit:
        raise PayloadError(
            f"The payload of {payload.name} has {size:,} bytes, more than KIQ['LIMITS']['payload'] allows "
            f"({limit:,}). Store the data, and pass its id"
        )
    if payload.at is not None and not adapters.get().schedules:
        raise Unsupported(
            f"KIQ['ADAPTER'] {conf.get().adapter!r} cannot run {payload.name} later. "
            "Enqueue it without a time, or choose 'redis', 'threads' or 'test'"
        )
    return payload


def _announce(pushed: Iterable[Payload]) -> None:
    for payload in pushed:
        definition = registry.find(payload.name)
        signals.send(signals.job_enqueued, definition and definition.sender, payload=payload)
