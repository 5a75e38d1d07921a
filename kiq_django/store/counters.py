"""Totals by day, and metrics by minute, in Sidekiq's keys."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from kiq_django import histogram
from kiq_django.store.keys import SET_NAMES, Keys
from kiq_django.store.link import Link

STAT_EXPIRY = 157_680_000
"""Seconds that a day's totals are kept: five years, Sidekiq's figure."""
MINUTE_EXPIRY = 28_800
"""Seconds that minute hashes and histograms are kept."""
TEN_MINUTES_EXPIRY = 259_200
SEPARATORS = str.maketrans("|/", "::")
"""Sidekiq's readers cut names at `|`, and its pages at `/`."""
COUNTERS = struct.Struct(f">{histogram.SIZE}H")
"""A histogram as Redis keeps it: what BITFIELD counts in unsigned 16-bit numbers."""
KEYS_A_READ = 900
"""Histograms read by one MGET: a long one would keep everybody else waiting."""
STATS: tuple[Literal["processed"], Literal["failed"]] = ("processed", "failed")


@dataclass(slots=True)
class JobMetrics:
    """What happened to jobs of one name since the last flush."""

    runs: int = 0
    failures: int = 0
    run_ms: float = 0.0
    """Summed time of successful runs; Sidekiq's `ms` is a whole number."""
    run: list[int] = field(default_factory=histogram.empty)
    wait: list[int] = field(default_factory=histogram.empty)

    def merge(self, other: "JobMetrics") -> None:
        """Add what another has counted."""
        self.runs += other.runs
        self.failures += other.failures
        self.run_ms += other.run_ms
        self.run = histogram.merge((self.run, other.run))
        self.wait = histogram.merge((self.wait, other.wait))


@dataclass(frozen=True, slots=True)
class Minute:
    """The names by which one UTC minute goes in Redis."""

    moment: datetime

    @property
    def bucket_7(self) -> str:
        return f"{self.moment:%Y%m%d}|{self.moment.hour}:{self.moment.minute}"

    @property
    def bucket_8(self) -> str:
        return f"{self.moment:%y%m%d}|{self.moment.hour}:{self.moment:%M}"

    @property
    def ten_minutes_8(self) -> str:
        return f"{self.moment:%y%m%d}|{self.moment.hour}:{self.moment.minute // 10}"

    @property
    def histogram_7(self) -> str:
        return f"{self.moment:%d-%H}:{self.moment.minute}"

    @property
    def histogram_8(self) -> str:
        return f"{self.moment.day}-{self.moment.hour}:{self.moment.minute}"


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
        replies = self._link.execute(pipe)
        found = zip(processes, replies[len(queues) :], strict=True)
        busy = {process: _integer(number) for process, (info, number) in found if info}
        return dict(zip(queues, replies, strict=False)), busy

    def history(self, days: int, until: date) -> list[tuple[date, int, int]]:
        """Day, processed, failed of the last `days` days up to `until` (UTC), the latest first."""
        dates = [until - timedelta(days=back) for back in range(days)]
        pipe = self._link.pipeline()
        pipe.mget([self._keys.stat("processed", f"{day:%Y-%m-%d}") for day in dates])
        pipe.mget([self._keys.stat("failed", f"{day:%Y-%m-%d}") for day in dates])
        processed, failed = self._link.execute(pipe)
        return [(d, _integer(p), _integer(f)) for d, p, f in zip(dates, processed, failed, strict=True)]

    def add_metrics(self, metrics: Mapping[str, JobMetrics], now: float) -> None:
        """Write what was counted per job into the minute of `now`, in the keys of Sidekiq 7 and of Sidekiq 8.

        Sidekiq's keys cannot hold every job name: a `:` takes the place of `|` and `/`.

        Raises:
            StoreUnavailable: it is unknown whether it was written.
            StoreRefused: nothing was written.
            StoreError: all was written but what Redis complained of, such as a key of another type.
        """
        minute = Minute(datetime.fromtimestamp(now, UTC))
        named = _under_safe_names(metrics)
        pipe = self._link.pipeline(atomic=True)
        for bucket, expiry in (
            (minute.bucket_7, MINUTE_EXPIRY),
            (minute.bucket_8, MINUTE_EXPIRY),
            (minute.ten_minutes_8, TEN_MINUTES_EXPIRY),
        ):
            _hash(pipe, self._keys.metrics(bucket), named, expiry)
        for name, seen in named.items():
            _bitfield(pipe, self._keys.run_histogram_7(name, minute.histogram_7), seen.run)
            _bitfield(pipe, self._keys.run_histogram_8(name, minute.histogram_8), seen.run)
            _bitfield(pipe, self._keys.wait_histogram(name, minute.histogram_8), seen.wait)
        self._link.execute(pipe)

    def minutes(self, moments: Iterable[datetime]) -> list[dict[str, int]]:
        """`<job>|p`, `|f`, `|ms` of each minute, in the order given; nothing is kept for longer than eight hours."""
        keys, pipe = self._keys, self._link.pipeline()
        for moment in moments:
            pipe.hgetall(keys.metrics(Minute(moment).bucket_7))
            pipe.hgetall(keys.metrics(Minute(moment).bucket_8))
        replies = self._link.execute(pipe)
        return [_larger(*pair) for pair in zip(replies[::2], replies[1::2], strict=True)]

    def ten_minutes(self, moments: Iterable[datetime]) -> list[dict[str, int]]:
        """The same for the ten minutes around each moment, as Sidekiq 8 and we write them; kept for three days."""
        pipe = self._link.pipeline()
        for moment in moments:
            pipe.hgetall(self._keys.metrics(Minute(moment).ten_minutes_8))
        return [_larger({}, reply) for reply in self._link.execute(pipe)]

    def minutes_of(self, name: str, moments: Iterable[datetime]) -> list[dict[str, int]]:
        """As `minutes`, of one job."""
        fields = [f"{name}|{suffix}" for suffix in ("p", "f", "ms")]
        pipe = self._link.pipeline()
        for moment in moments:
            pipe.hmget(self._keys.metrics(Minute(moment).bucket_7), fields)
            pipe.hmget(self._keys.metrics(Minute(moment).bucket_8), fields)
        replies = self._link.execute(pipe)
        return [_larger_of(fields, *pair) for pair in zip(replies[::2], replies[1::2], strict=True)]

    def histograms(self, wanted: Sequence[tuple[str, datetime]]) -> list[tuple[list[int], list[int]]]:
        """Counts of run time and of queue wait, for each pair of a job and a minute."""
        keys, minutes = self._keys, [(job, Minute(moment)) for job, moment in wanted]
        runs = self._read([keys.run_histogram_8(job, minute.histogram_8) for job, minute in minutes])
        waits = self._read([keys.wait_histogram(job, minute.histogram_8) for job, minute in minutes])
        missing = [index for index, text in enumerate(runs) if text is None]
        older = self._read([keys.run_histogram_7(minutes[i][0], minutes[i][1].histogram_7) for i in missing])
        for index, text in zip(missing, older, strict=True):
            runs[index] = text
        return [(_counts(run), _counts(wait)) for run, wait in zip(runs, waits, strict=True)]

    def _read(self, names: Sequence[str]) -> list[bytes | None]:
        pipe = self._link.pipeline()
        for start in range(0, len(names), KEYS_A_READ):
            pipe.mget(names[start : start + KEYS_A_READ])
        return [text for part in self._link.execute(pipe) for text in part]


def _under_safe_names(metrics: Mapping[str, JobMetrics]) -> dict[str, JobMetrics]:
    named: dict[str, JobMetrics] = {}
    for name, seen in metrics.items():
        named.setdefault(name.translate(SEPARATORS), JobMetrics()).merge(seen)
    return named


def _hash(pipe: Any, key: str, metrics: Mapping[str, JobMetrics], expiry: int) -> None:
    for name, seen in metrics.items():
        for suffix, amount in (("p", seen.runs), ("f", seen.failures), ("ms", round(seen.run_ms))):
            if amount:
                pipe.hincrby(key, f"{name}|{suffix}", amount)
    pipe.expire(key, expiry)


def _bitfield(pipe: Any, key: str, counts: Sequence[int]) -> None:
    increments = [part for i, n in enumerate(counts) if n for part in ("INCRBY", "u16", f"#{i}", n)]
    if increments:
        pipe.execute_command("BITFIELD", key, "OVERFLOW", "SAT", *increments)
        pipe.expire(key, MINUTE_EXPIRY)


def _counts(text: bytes | None) -> list[int]:
    """Redis keeps a BITFIELD only as far as it was written to."""
    if not text:
        return histogram.empty()
    return list(COUNTERS.unpack(text[: COUNTERS.size].ljust(COUNTERS.size, b"\0")))


def _names(members: Iterable[bytes]) -> list[str]:
    return sorted(member.decode(errors="replace") for member in members)


def _integer(text: bytes | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _larger(seven: Mapping[bytes, bytes], eight: Mapping[bytes, bytes]) -> dict[str, int]:
    """We write both forms, Ruby writes one: of each number the larger one is the whole."""
    fields = {*seven, *eight}
    return {f.decode(errors="replace"): max(_integer(seven.get(f)), _integer(eight.get(f))) for f in fields}


def _larger_of(fields: Sequence[str], seven: Sequence[bytes | None], eight: Sequence[bytes | None]) -> dict[str, int]:
    values = (max(_integer(one), _integer(other)) for one, other in zip(seven, eight, strict=True))
    return {field: value for field, value in zip(fields, values, strict=True) if value}
