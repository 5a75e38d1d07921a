"""From a payload to the adapter: client links, the size limit, the push; plainly, or with more care."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from typing import Self

from kiq_django import adapters, clock, conf, middleware, plugins, registry, signals, wire
from kiq_django.bulk import Slice
from kiq_django.exceptions import NotReplicated, PayloadError, StoreError, Unsupported
from kiq_django.payload import ABSENT, Payload
from kiq_django.sections import Limits, QueueSettings

logger = logging.getLogger("kiq_django.client")
WARN_EVERY = 60.0
"""Seconds between two warnings about the size of one job."""
_warned: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Care:
    """What a job asks of its push beyond a plain one."""

    outbox: bool = False
    """Keep it in the database, with the rows of the transaction that it belongs to, until it is in Redis."""
    replicas: int = 0
    """Replicas of Redis that must have it before the push counts as done."""
    bound: QueueSettings | None = None
    """Its queue, when that has a limit."""


PLAIN = Care()


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of payloads that somebody keeps until they are delivered."""

    passed: list[Payload | None]
    """What was pushed; None for what a link vetoed or stopped."""
    settled: list[str]
    """Ids that need no further push: taken over, now or by an earlier call, or vetoed."""
    trouble: Exception | None
    """What the first client link raised; its payload is not settled."""


def deliver(payloads: Sequence[Payload], replicas: int = 0) -> list[Payload | None]:
    """Client links and push. What passes is pushed even where the link of another payload raised.

    Returns:
        What was pushed, None for each payload that a link vetoed.

    Raises:
        NotReplicated: all are pushed, and fewer than `replicas` have them.
    """
    passed, troubles = _pass(payloads)
    ready = [payload for payload in passed if payload is not None]
    if ready:
        _push(ready, replicas)
    for trouble in troubles.values():
        raise trouble
    return passed


class Convoy:
    """`deliver` of slices one after the other, without making payloads: while one is on its way the next is written.

    Leaving it as a context waits for the last.
    """

    def __init__(self) -> None:
        self._land: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Also after an error: what was sent is pushed. That error comes first."""
        with nullcontext() if kind is None else suppress(StoreError):
            self.arrive()

    def deliver(self, part: Slice) -> bool:
        """Send a slice, which comes to the same as `deliver` where nobody asks to see each payload.

        False when nothing was sent: somebody asks, or one is so large that it must be told.

        Raises:
            StoreError: the slice before was not, or perhaps not, taken over; this one was not sent.
        """
        if (written := _written(part)) is None:
            return False
        self.arrive()
        self._land = adapters.get().launch(*written)
        return True

    def arrive(self) -> None:
        """Wait until what was sent is pushed.

        Raises:
            StoreError: it was not, or perhaps not, taken over.
        """
        land, self._land = self._land, None
        if land is not None:
            land()


def _written(part: Slice) -> tuple[str, list[bytes]] | None:
    """The queue of a slice and the bytes that go there; None where the payloads have to be made."""
    adapter = adapters.get()
    if not adapter.takes_written or signals.job_enqueued.receivers or plugins.looks_at_each():
        return None
    pattern = part.pattern()
    accepted = pattern and _chain()(pattern)
    if accepted is None:
        return None
    gate = _Gate()
    stored = gate.let_out(accepted)
    written = part.written(stored)
    if written is None or gate.is_too_large(max(map(len, written))):
        return None
    return stored.queue, written


async def adeliver(payload: Payload) -> Payload | None:
    """`deliver` of one from an event loop."""
    accepted = await _achain()(payload)
    if accepted is None:
        return None
    pushed = _Gate().let_out(accepted)
    await adapters.get().apush([pushed])
    if signals.job_enqueued.receivers:
        _announce([pushed])
    return pushed


def deliver_once(payloads: Sequence[Payload], replicas: int = 0) -> Delivered:
    """As `deliver`, for payloads that an earlier call may have pushed: those are not pushed again.

    Raises:
        NotReplicated, StoreError: nothing is known to be settled.
    """
    passed, troubles = _pass(payloads)
    ready = [payload for payload in passed if payload is not None]
    if ready:
        taken = adapters.get().push_with_care(ready, once=True, replicas=replicas)
        if signals.job_enqueued.receivers:
            _announce(payload for payload, is_new in zip(ready, taken, strict=True) if is_new)
    settled = [payload.jid for index, payload in enumerate(payloads) if index not in troubles]
    return Delivered(passed, settled, next(iter(troubles.values()), None))


def refuse_unusable(payload: Payload) -> None:
    """Raise at once what a push after the commit would raise too late.

    Raises:
        PayloadError: it is larger than `KIQ["LIMITS"]["payload"]`, or not JSON.
        Unsupported: it is scheduled, and the adapter has no schedule.
    """
    _Gate().let_out(payload)


def _push(ready: Sequence[Payload], replicas: int) -> None:
    adapter = adapters.get()
    try:
        if replicas:
            adapter.push_with_care(ready, replicas=replicas)
        else:
            adapter.push(ready)
    except NotReplicated:  # they are pushed all the same
        _announce(ready)
        raise
    if signals.job_enqueued.receivers:
        _announce(ready)


def _pass(payloads: Sequence[Payload]) -> tuple[list[Payload | None], dict[int, Exception]]:
    """What is to be pushed, None for what is not, and the errors among those by their index."""
    chain, gate = _chain(), _Gate()
    passed: list[Payload | None] = []
    troubles: dict[int, Exception] = {}
    for payload in payloads:
        try:
            accepted = chain(payload)
            passed.append(None if accepted is None else gate.let_out(accepted))
        except Exception as error:  # noqa: BLE001 - raised after the push of the others
            troubles[len(passed)] = error
            passed.append(None)
    return passed, troubles


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


class _Gate:
    """What payloads pass last, some of them together: their times are set, and what cannot be pushed is refused.

    At the call too if the push waits, since after the commit is late.
    """

    __slots__ = ("_in_milliseconds", "_limits", "_most", "_now")

    def __init__(self) -> None:
        settings = conf.get()
        self._now = clock.now()
        self._limits = settings.limits
        self._most = min(self._limits.payload, self._limits.payload_warning)
        self._in_milliseconds = settings.sidekiq.integer_times

    def let_out(self, payload: Payload) -> Payload:
        """The payload as it is to be stored; only what goes to a queue has `enqueued_at`.

        Raises:
            PayloadError, Unsupported: as for `refuse_unusable`.
        """
        document = payload.document
        if "at" in document and payload.at is not None:
            payload = self._scheduled(payload, payload.at)
        else:
            payload = Payload({**document, "enqueued_at": self._now})  # `evolve` in short, on the hot path
        if self._in_milliseconds:
            payload = wire.in_milliseconds(payload)
        if (size := len(payload.encode())) > self._most:
            _weigh(payload.name, size, self._limits)
        return payload

    def is_too_large(self, size: int) -> bool:
        """Whether a payload of so many bytes is refused, or warned of."""
        return size > self._most

    def _scheduled(self, payload: Payload, at: float) -> Payload:
        """A time that is not ahead means now."""
        if at <= self._now:
            return payload.evolve(at=ABSENT, enqueued_at=self._now)
        if not adapters.get().schedules:
            raise Unsupported(
                f"KIQ['ADAPTER'] {conf.get().adapter!r} cannot run {payload.name} later. "
                "Enqueue it without a time, or choose 'redis', 'threads' or 'test'"
            )
        return payload


def _weigh(name: str, size: int, limits: Limits) -> None:
    if size > limits.payload:
        raise PayloadError(
            f"The payload of {name} has {size:,} bytes, more than KIQ['LIMITS']['payload'] allows "
            f"({limits.payload:,}). Store the data, and pass its id"
        )
    now = clock.monotonic()
    if now - _warned.get(name, -WARN_EVERY) >= WARN_EVERY:
        _warned[name] = now
        logger.warning(
            "The payload of %s has %s bytes: such jobs fill Redis, and take long to move. Store the data, and pass its "
            "id (KIQ['LIMITS']['payload_warning'] is %s)",
            name,
            f"{size:,}",
            f"{limits.payload_warning:,}",
        )


def _announce(pushed: Iterable[Payload]) -> None:
    for payload in pushed:
        definition = registry.find(payload.name)
        signals.send(signals.job_enqueued, definition and definition.sender, payload=payload)
