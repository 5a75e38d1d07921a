"""Totals: of all time, and by day, in Sidekiq's keys."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from kiq_django.store.keys import SET_NAMES, Keys, SetName
from kiq_django.store.link import Link

STAT_EXPIRY = 157_680_000
"""Seconds that a day's totals are kept: five years, Sidekiq's figure."""
STATS: tuple[Literal["processed"], Literal["failed"]] = ("processed", "failed")


class Overview(NamedTuple):
    """The figures of one Redis at one moment."""

    processed: int
    failed: int
    scheduled: int
    retry: int
    dead: int
    queues: dict[str, int]
    """Waiting jobs by queue."""
    busy: dict[str, int]
    """Running jobs by live process."""
    oldest: bytes | None
    """The payload that will be fetched next from the queue asked for."""


class Brief(NamedTuple):
    """How much there is of everything, without a look into any queue."""

    queues: list[str]
    """Every queue that a job was ever pushed to, and every paused one, by name."""
    sizes: dict[SetName, int]
    """Jobs in each set."""
    busy: dict[str, int]
    """Running jobs by live process."""


class Counters:
    """Statistics of one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def add_totals(self, processed: int, failed: int, now: float) -> None:
        """Count finished attempts, and failed ones, for all time and for today (UTC)."""
        day = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"
        amounts = {"processed": processed, "failed": failed}
        pipe = self._link.pipeline()
        for name in STATS:
            pipe.incrby(self._keys.stat(name), amounts[name])
            pipe.incrby(self._keys.stat(name, day), amounts[name])
            pipe.expire(self._keys.stat(name, day), STAT_EXPIRY)
        self._link.execute(pipe)

    def totals(self) -> tuple[int, int]:
        """Attempts processed and failed since the counters were reset."""
        processed, failed = self._link.call("MGET", *[self._keys.stat(name) for name in STATS])
        return _integer(processed), _integer(failed)

    def reset_totals(self, names: Sequence[Literal["processed", "failed"]] = STATS) -> None:
        """Set totals to 0; the days stay."""
        self._link.call("MSET", *(part for name in names for part in (self._keys.stat(name), 0)))

    def brief(self) -> Brief:
        """How much there is, in two round trips: what each page shows above."""
        keys = self._keys
        sets = [("ZCARD", keys.job_set(name)) for name in SET_NAMES]
        listed = [("SMEMBERS", keys.queues()), ("SMEMBERS", keys.paused("")), ("SMEMBERS", keys.processes())]
        *sizes, queues, paused, processes = self._link.send([*sets, *listed])
        names = _names(processes)
        asked = [("HEXISTS", "info"), ("HGET", "busy")]
        fields = [(verb, keys.process(name), field) for name in names for verb, field in asked]
        replies = self._link.send(fields, tolerant=True)
        found = zip(names, replies[::2], replies[1::2], strict=True)
        return Brief(
            queues=_names({*queues, *paused}),
            sizes=dict(zip(SET_NAMES, map(int, sizes), strict=True)),
            busy={name: _integer(busy) for name, is_alive, busy in found if is_alive},
        )

    def overview(self, queue: str) -> Overview:
        """All figures in two round trips, with the next job of one queue."""
        keys = self._keys
        pipe = self._link.pipeline()
        pipe.mget([keys.stat(name) for name in STATS])
        for job_set in SET_NAMES:
            pipe.zcard(keys.job_set(job_set))
        pipe.smembers(keys.queues())
        pipe.smembers(keys.processes())
        pipe.lindex(keys.queue(queue), -1)
        totals, scheduled, retry, dead, queues, processes, oldest = self._link.execute(pipe)
        sizes, busy = self._details(_names(queues), _names(processes))
        processed, failed = map(_integer, totals)
        return Overview(processed, failed, scheduled, retry, dead, sizes, busy, oldest)

    def _details(self, queues: list[str], processes: list[str]) -> tuple[dict[str, int], dict[str, int]]:
        pipe = self._link.pipeline()
        for queue in queues:
            pipe.llen(self._keys.queue(queue))
        for process in processes:
            pipe.hmget(self._keys.process(process), "info", "busy")
        replies = self._link.execute(pipe, tolerant=True)
        found = zip(processes, replies[len(queues) :], strict=True)
        busy = {process: _integer(reply[1]) for process, reply in found if reply and reply[0]}
        return {queue: size or 0 for queue, size in zip(queues, replies, strict=False)}, busy

    def history(self, days: int, until: date) -> list[tuple[date, int, int]]:
        """Day, processed, failed of the last `days` days up to `until` (UTC), the latest first."""
        dates = [until - timedelta(days=back) for back in range(days)]
        pipe = self._link.pipeline()
        pipe.mget([self._keys.stat("processed", f"{day:%Y-%m-%d}") for day in dates])
        pipe.mget([self._keys.stat("failed", f"{day:%Y-%m-%d}") for day in dates])
        processed, failed = self._link.execute(pipe)
        return [(d, _integer(p), _integer(f)) for d, p, f in zip(dates, processed, failed, strict=True)]


def _names(members: Iterable[bytes]) -> list[str]:
    return sorted(member.decode(errors="replace") for member in members)


def _integer(text: bytes | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
