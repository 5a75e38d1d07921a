"""Metrics in Sidekiq's own keys, as Sidekiq 7 and Sidekiq 8 name them: we write both forms, Ruby writes one.

Its Metrics page shows our jobs by them, and we read from them what Ruby's workers ran.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kiq_django import histogram
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.metrics import KEYS_A_READ, JobMetrics

MINUTE_EXPIRY = 28_800
"""Seconds that minute hashes and histograms are kept."""
TEN_MINUTES_EXPIRY = 259_200
SEPARATORS = str.maketrans("|/", "::")
"""Sidekiq's readers cut names at `|`, and its pages at `/`."""
COUNTERS = struct.Struct(f">{histogram.SIZE}H")
"""A histogram as Redis keeps it: what BITFIELD counts in unsigned 16-bit numbers."""


@dataclass(frozen=True, slots=True)
class Minute:
    """The names by which one UTC minute goes in Sidekiq's keys."""

    moment: datetime

    @classmethod
    def at(cls, moment: float) -> "Minute":
        return cls(datetime.fromtimestamp(moment, UTC))

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


def safe_names(jobs: Mapping[str, JobMetrics]) -> dict[str, JobMetrics]:
    """The same under names that Sidekiq's keys can hold: a `:` takes the place of `|` and `/`."""
    named: dict[str, JobMetrics] = {}
    for name, seen in jobs.items():
        named.setdefault(name.translate(SEPARATORS), JobMetrics()).merge(seen)
    return named


class SidekiqMetrics:
    """Sidekiq's metrics of one Redis. Moments are epoch seconds, and stand for the minute that they lie in."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def write(self, pipe: Any, jobs: Mapping[str, JobMetrics], now: float) -> None:
        """Have a pipeline add to the minute of `now`, in both forms."""
        minute = Minute.at(now)
        for bucket, expiry in (
            (minute.bucket_7, MINUTE_EXPIRY),
            (minute.bucket_8, MINUTE_EXPIRY),
            (minute.ten_minutes_8, TEN_MINUTES_EXPIRY),
        ):
            _hash(pipe, self._keys.metrics(bucket), jobs, expiry)
        for name, seen in jobs.items():
            _bitfield(pipe, self._keys.run_histogram_7(name, minute.histogram_7), seen.run)
            _bitfield(pipe, self._keys.run_histogram_8(name, minute.histogram_8), seen.run)

    def minutes(self, moments: Iterable[float]) -> list[dict[str, int]]:
        """`<job>|p`, `|f`, `|ms` of each minute, in the order given; nothing is kept for longer than eight hours."""
        keys, pipe = self._keys, self._link.pipeline()
        for minute in map(Minute.at, moments):
            pipe.hgetall(keys.metrics(minute.bucket_7))
            pipe.hgetall(keys.metrics(minute.bucket_8))
        replies = self._link.execute(pipe)
        return [_larger(*pair) for pair in zip(replies[::2], replies[1::2], strict=True)]

    def ten_minutes(self, moments: Iterable[float]) -> list[dict[str, int]]:
        """The same for the ten minutes around each moment, as Sidekiq 8 and we write them; kept for three days."""
        pipe = self._link.pipeline()
        for minute in map(Minute.at, moments):
            pipe.hgetall(self._keys.metrics(minute.ten_minutes_8))
        return [_larger({}, reply) for reply in self._link.execute(pipe)]

    def minutes_of(self, name: str, moments: Iterable[float]) -> list[dict[str, int]]:
        """As `minutes`, of one job."""
        fields = _fields(name)
        pipe = self._link.pipeline()
        for minute in map(Minute.at, moments):
            pipe.hmget(self._keys.metrics(minute.bucket_7), fields)
            pipe.hmget(self._keys.metrics(minute.bucket_8), fields)
        replies = self._link.execute(pipe)
        return [_larger_of(fields, *pair) for pair in zip(replies[::2], replies[1::2], strict=True)]

    def ten_minutes_of(self, name: str, moments: Iterable[float]) -> list[dict[str, int]]:
        """As `ten_minutes`, of one job."""
        fields = _fields(name)
        pipe = self._link.pipeline()
        for minute in map(Minute.at, moments):
            pipe.hmget(self._keys.metrics(minute.ten_minutes_8), fields)
        return [_larger_of(fields, [None] * len(fields), reply) for reply in self._link.execute(pipe)]

    def run_times(self, wanted: Sequence[tuple[str, float]]) -> list[list[int]]:
        """Counts of run times, for each pair of a job and a minute. In at most two round trips."""
        keys, minutes = self._keys, [(name, Minute.at(moment)) for name, moment in wanted]
        found = self._read([keys.run_histogram_8(name, minute.histogram_8) for name, minute in minutes])
        missing = [index for index, text in enumerate(found) if text is None]
        older = self._read([keys.run_histogram_7(minutes[i][0], minutes[i][1].histogram_7) for i in missing])
        for index, text in zip(missing, older, strict=True):
            found[index] = text
        return [_counts(text) for text in found]

    def _read(self, names: Sequence[str]) -> list[bytes | None]:
        pipe = self._link.pipeline()
        for start in range(0, len(names), KEYS_A_READ):
            pipe.mget(names[start : start + KEYS_A_READ])
        return [text for part in self._link.execute(pipe) for text in part]


def _fields(name: str) -> list[str]:
    return [f"{name}|{suffix}" for suffix in ("p", "f", "ms")]


def _hash(pipe: Any, key: str, jobs: Mapping[str, JobMetrics], expiry: int) -> None:
    for name, seen in jobs.items():
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
