"""How much was in each queue at the begin of each minute, measured by one worker for all.

No worker, no measurement: then nothing is known of that minute, which is not the same as nothing in the queues.
"""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.store.flow import EXPIRY
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.others import Others
from kiq_django.store.steps import MINUTE, TEN_MINUTES

GUARD = 120
"""Seconds for which a minute that somebody measures is left to it."""
MOST_QUEUES = 1_000
"""Measured; those that workers serve come first."""
MOST_OWNERS = 200
"""Of one queue."""
MOST_LISTS = 5_000
"""Working lists in all: what runs is not known of queues beyond."""
EVERYTHING = "all"
"""A field beside those of the queues: whether all of them were looked at."""


class Size(NamedTuple):
    """What was in one queue."""

    waiting: int = 0
    latency: float = 0.0
    """Seconds that the job which comes next had waited."""
    taken: int | None = 0
    """Jobs that workers of this program had taken and not finished; None when that was not counted."""
    elsewhere: bool = False
    """Workers of another program served it: how many jobs those took or finished is unknown."""


class Sizes:
    """Measurements of one Redis. Minutes go by their begin, in epoch seconds."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._others = Others(link, keys)

    def take(self, now: float) -> bool:
        """Measure all queues, unless somebody does that for this minute. Once it is begun in some six round trips.

        Args:
            now: a moment right after the begin of a minute, in epoch seconds.

        Returns:
            True when it was us.
        """
        bucket = MINUTE.bucket(now)
        if not self._link.call("SET", self._keys.sizes_guard(bucket), "1", "NX", "EX", GUARD):
            return False
        elsewhere = self._others.queues()
        if elsewhere is not None:
            self._others.note()
        names, is_all = self._names(elsewhere or set())
        owners = self._owners(names)
        found = {
            name: size._replace(elsewhere=name in (elsewhere or ()))
            for name, size in self._measure(names, owners, now).items()
        }
        self._write(bucket, now, found, is_all=is_all)
        return True

    def read(self, queues: Sequence[str], minutes: Sequence[int]) -> list[dict[str, Size] | None]:
        """What was in these queues at the begin of each minute, in one round trip.

        Returns:
            For each minute None when nobody measured then. A queue is missing when it was not looked at.
        """
        fields = [EVERYTHING, *(f"q|{queue}" for queue in queues)]
        pipe = self._link.pipeline()
        for minute in minutes:
            pipe.hmget(self._keys.sizes(MINUTE.bucket(minute)), fields)
        return [_measurement(queues, *reply) for reply in self._link.execute(pipe)]

    def _names(self, elsewhere: set[str]) -> tuple[list[str], bool]:
        pipe = self._link.pipeline()
        pipe.smembers(self._keys.served())
        pipe.smembers(self._keys.queues())
        served, known = ({name.decode(errors="replace") for name in reply} for reply in self._link.execute(pipe))
        names = [*sorted(served | elsewhere), *sorted(known - served - elsewhere)]
        return names[:MOST_QUEUES], len(names) <= MOST_QUEUES

    def _owners(self, names: Sequence[str]) -> dict[str, list[str] | None]:
        """Owners that may hold jobs, by queue; those reaped (below 0) hold none. None where they are too many."""
        pipe = self._link.pipeline()
        for name in names:
            pipe.zrangebyscore(self._keys.owners(name), 0, "+inf", start=0, num=MOST_OWNERS)
        left = MOST_LISTS
        found: dict[str, list[str] | None] = {}
        for name, owners in zip(names, self._link.execute(pipe), strict=True):
            left -= len(owners)
            found[name] = (
                None if left < 0 or len(owners) == MOST_OWNERS else [owner.decode(errors="replace") for owner in owners]
            )
        return found

    def _measure(self, names: Sequence[str], owners: dict[str, list[str] | None], now: float) -> dict[str, Size]:
        """A queue and its working lists side by side: a job on its way from one to the other counts once."""
        pipe = self._link.pipeline()
        for name in names:
            pipe.llen(self._keys.queue(name))
            for owner in owners[name] or ():
                pipe.llen(self._keys.working(name, owner))
            pipe.lindex(self._keys.queue(name), -1)
        replies = iter(self._link.execute(pipe))
        found = {}
        for name in names:
            waiting = next(replies)
            held = owners[name]
            taken = None if held is None else sum(islice(replies, len(held)))
            found[name] = Size(waiting, _latency(next(replies), now), taken)
        return found

    def _write(self, bucket: str, now: float, found: dict[str, Size], *, is_all: bool) -> None:
        """Empty queues are left out where all were looked at: a thousand idle ones cost nothing."""
        fields = {f"q|{name}": _text(size) for name, size in found.items() if size != Size() or not is_all}
        step = TEN_MINUTES if TEN_MINUTES.begin(now) == MINUTE.begin(now) else MINUTE
        key = self._keys.sizes(bucket)
        pipe = self._link.pipeline(atomic=True)
        pipe.hset(key, mapping={EVERYTHING: int(is_all), **fields})
        pipe.expire(key, EXPIRY[step])
        self._link.execute(pipe)


def _latency(oldest: bytes | None, now: float) -> float:
    if oldest is None:
        return 0.0
    try:
        payload = Payload.decode(oldest)
    except MalformedPayload:
        return 0.0
    since = payload.enqueued_at or payload.created_at
    return max(0.0, now - since) if since else 0.0


def _text(size: Size) -> str:
    taken = "-" if size.taken is None else size.taken
    return f"{size.waiting} {round(size.latency * 1000)} {taken} {size.elsewhere:d}"


def _measurement(queues: Sequence[str], is_all: bytes | None, *texts: bytes | None) -> dict[str, Size] | None:
    if is_all is None:
        return None
    found = {}
    for queue, text in zip(queues, texts, strict=True):
        size = None if text is None else _size(text)
        if size is not None:
            found[queue] = size
        elif text is None and is_all == b"1":
            found[queue] = Size()
    return found


def _size(text: bytes) -> Size | None:
    """None for what we have not written."""
    try:
        waiting, latency, taken, elsewhere = text.split()
        return Size(int(waiting), int(latency) / 1000, None if taken == b"-" else int(taken), elsewhere == b"1")
    except (ValueError, OverflowError):
        return None
