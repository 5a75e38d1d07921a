"""Totals by day, and metrics by minute, in Sidekiq's keys."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from kiq_django.histogram import BOUNDS_MS
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link

STAT_EXPIRY = 157_680_000
"""Seconds that a day's totals are kept: five years, Sidekiq's figure."""
MINUTE_EXPIRY = 28_800
"""Seconds that minute hashes and histograms are kept."""
TEN_MINUTES_EXPIRY = 259_200
MARK_EXPIRY = 7_776_000
BUCKETS = len(BOUNDS_MS)


@dataclass(slots=True)
class JobMetrics:
    """What happened to jobs of one name since the last flush."""

    runs: int = 0
    failures: int = 0
    run_ms: int = 0
    """Summed time of successful runs: Sidekiq's `ms`."""
    run: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    wait: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def merge(self, other: "JobMetrics") -> None:
        """Add what another has counted."""
        self.runs += other.runs
        self.failures += other.failures
        self.run_ms += other.run_ms
        self.run = [a + b for a, b in zip(self.run, other.run, strict=True)]
        self.wait = [a + b for a, b in zip(self.wait, other.wait, strict=True)]


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


class Counters:
    """Statistics of one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def add_totals(self, processed: int, failed: int, now: float) -> None:
        """Count finished attempts, and failed ones, for all time and for today (UTC)."""
        day = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"
        pipe = self._link.pipeline()
        for name, amount in (("processed", processed), ("failed", failed)):
            pipe.incrby(self._keys.stat(name), amount)  # type: ignore[arg-type]
            pipe.incrby(self._keys.stat(name, day), amount)  # type: ignore[arg-type]
            pipe.expire(self._keys.stat(name, day), STAT_EXPIRY)  # type: ignore[arg-type]
        self._link.execute(pipe)

    def totals(self) -> tuple[int, int]:
        """Attempts processed and failed since the counters were reset."""
        pipe = self._link.pipeline()
        pipe.mget(self._keys.stat("processed"), self._keys.stat("failed"))
        processed, failed = self._link.execute(pipe)[0]
        return _integer(processed), _integer(failed)

    def reset_totals(self) -> None:
        """Set both totals to 0; the days stay."""
        self._link.call("MSET", self._keys.stat("processed"), 0, self._keys.stat("failed"), 0)

    def history(self, days: int, until: date) -> list[tuple[date, int, int]]:
        """Day, processed, failed of the last `days` days up to `until` (UTC), the latest first."""
        dates = [until - timedelta(days=back) for back in range(days)]
        pipe = self._link.pipeline()
        pipe.mget([self._keys.stat("processed", f"{day:%Y-%m-%d}") for day in dates])
        pipe.mget([self._keys.stat("failed", f"{day:%Y-%m-%d}") for day in dates])
        processed, failed = self._link.execute(pipe)
        return [(d, _integer(p), _integer(f)) for d, p, f in zip(dates, processed, failed, strict=True)]

    def add_metrics(self, metrics: Mapping[str, JobMetrics], now: float) -> None:
        """Write what was counted per job into the minute of `now`, in the keys of Sidekiq 7 and of Sidekiq 8."""
        minute = Minute(datetime.fromtimestamp(now, UTC))
        keys = self._keys
        pipe = self._link.pipeline()
        hashes = (
            (keys.metrics(minute.bucket_7), MINUTE_EXPIRY),
            (keys.metrics(minute.bucket_8), MINUTE_EXPIRY),
            (keys.metrics(minute.ten_minutes_8), TEN_MINUTES_EXPIRY),
        )
        for key, expiry in hashes:
            for name, seen in metrics.items():
                for suffix, amount in (("p", seen.runs), ("f", seen.failures), ("ms", seen.run_ms)):
                    if amount:
                        pipe.hincrby(key, f"{name}|{suffix}", amount)
            pipe.expire(key, expiry)
        for name, seen in metrics.items():
            _bitfield(pipe, keys.run_histogram_7(name, minute.histogram_7), seen.run)
            _bitfield(pipe, keys.run_histogram_8(name, minute.histogram_8), seen.run)
            _bitfield(pipe, keys.wait_histogram(name, minute.histogram_8), seen.wait)
        self._link.execute(pipe)

    def minutes(self, moments: Iterable[datetime]) -> list[dict[str, int]]:
        """`<job>|p`, `|f`, `|ms` of each minute; both key forms added up where only one writer knows a job."""
        pipe = self._link.pipeline()
        for moment in moments:
            pipe.hgetall(self._keys.metrics(Minute(moment).bucket_7))
            pipe.hgetall(self._keys.metrics(Minute(moment).bucket_8))
        replies = self._link.execute(pipe)
        return [_larger(*replies[i : i + 2]) for i in range(0, len(replies), 2)]

    def histograms(self, name: str, moments: Iterable[datetime]) -> list[tuple[list[int], list[int]]]:
        """Counts of run time and of queue wait of one job in each minute."""
        read = ["GET" if i % 3 == 0 else "u16" if i % 3 == 1 else f"#{i // 3}" for i in range(3 * BUCKETS)]
        pipe = self._link.pipeline()
        for moment in moments:
            minute = Minute(moment).histogram_8
            pipe.execute_command("BITFIELD", self._keys.run_histogram_8(name, minute), *read)
            pipe.execute_command("BITFIELD", self._keys.wait_histogram(name, minute), *read)
        replies = self._link.execute(pipe)
        return [(replies[i], replies[i + 1]) for i in range(0, len(replies), 2)]


def _bitfield(pipe: "object", key: str, counts: Sequence[int]) -> None:
    increments = [part for i, n in enumerate(counts) if n for part in ("INCRBY", "u16", f"#{i}", n)]
    if increments:
        pipe.execute_command("BITFIELD", key, "OVERFLOW", "SAT", *increments)  # type: ignore[attr-defined]
        pipe.expire(key, MINUTE_EXPIRY)  # type: ignore[attr-defined]


def _integer(text: bytes | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _larger(seven: Mapping[bytes, bytes], eight: Mapping[bytes, bytes]) -> dict[str, int]:
    """We write both forms, Ruby writes one: the larger number is the whole."""
    fields = {*seven, *eight}
    return {f.decode(errors="replace"): max(_integer(seven.get(f)), _integer(eight.get(f))) for f in fields}
