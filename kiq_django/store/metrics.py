"""What happened to each job, by minute, ten minutes and hour, with run times and waits as histograms.

All of one job and step is one string of counters, so that a page with fifty jobs over three days reads a few thousand
small values by MGET, and adds them up. It grows only as far as it was written to, in numbers of 64 bits:

| number | holds |
| --- | --- |
| 0 | runs in the upper half, failures in the lower |
| 1 | summed time of the successful runs, in milliseconds |
| 2 + n | runs whose run time falls into bucket n of `kiq_django.histogram`; below, runs whose wait in the queue does |

Two counters in one number are added to at once: that halves the commands. No hour has the 4,294,967,296 runs that would
spill over.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kiq_django import histogram
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.steps import DAY, HOUR, MINUTE, TEN_MINUTES, Step

COUNTERS = struct.Struct(f">IIq{2 * histogram.SIZE}I")
HALF = 32
"""Bits of a counter that shares its number with another."""
PLACES = tuple(b"#%d" % number for number in range(2 + histogram.SIZE))
KEPT: Mapping[Step, int] = {MINUTE: 8 * 3600, TEN_MINUTES: 25 * 3600, HOUR: 145 * 3600}
"""Seconds for which the figures of a step can be read."""
SLACK = 1_800
"""Seconds beyond that, for a page that reads while they expire."""
RAN_EXPIRY = 8 * 86_400
KEYS_A_READ = 900
"""Keys of one MGET: a long one would keep everybody else waiting."""


@dataclass(slots=True)
class JobMetrics:
    """What happened to jobs of one name in some stretch of time."""

    runs: int = 0
    failures: int = 0
    run_ms: float = 0.0
    """Summed time of successful runs; Redis keeps whole numbers."""
    run: list[int] = field(default_factory=histogram.empty)
    wait: list[int] = field(default_factory=histogram.empty)

    def merge(self, other: "JobMetrics") -> None:
        """Add what another has counted."""
        self.runs += other.runs
        self.failures += other.failures
        self.run_ms += other.run_ms
        self.run = histogram.merge((self.run, other.run))
        self.wait = histogram.merge((self.wait, other.wait))


class Metrics:
    """Figures of jobs that the workers of this program ran."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def write(self, pipe: Any, jobs: Mapping[str, JobMetrics], now: float) -> None:
        """Have a pipeline add to the steps that `now` lies in."""
        for name, seen in jobs.items():
            increments = _increments(seen)
            for step, kept in KEPT.items():
                key = self._keys.figures(name, step.bucket(now))
                pipe.execute_command("BITFIELD", key, *increments)
                pipe.expire(key, kept + step.seconds + SLACK)
        day = self._keys.ran(DAY.bucket(now))
        for name, seen in jobs.items():
            pipe.zincrby(day, seen.runs, name)
        pipe.expire(day, RAN_EXPIRY)

    def names(self, days: Iterable[float], most: int) -> tuple[list[str], int]:
        """The jobs that ran most on these UTC days, in one round trip.

        Args:
            days: a moment of each.
            most: how many names at most.

        Returns:
            The names, and how many more there are, or a few more than that.
        """
        pipe = self._link.pipeline()
        for day in days:
            pipe.zrange(self._keys.ran(DAY.bucket(day)), 0, most - 1, desc=True, withscores=True)
            pipe.zcard(self._keys.ran(DAY.bucket(day)))
        replies = self._link.execute(pipe)
        runs: dict[str, float] = {}
        for name, score in (pair for found in replies[::2] for pair in found):
            text = name.decode(errors="replace")
            runs[text] = runs.get(text, 0) + score
        hidden = sum(count - len(found) for found, count in zip(replies[::2], replies[1::2], strict=True))
        busiest = sorted(runs, key=lambda name: -runs[name])
        return busiest[:most], hidden + len(busiest[most:])

    def sums(self, names: Sequence[str], steps: Sequence[tuple[Step, int]]) -> dict[str, JobMetrics]:
        """What happened to each job in these steps together, each given with its begin. One round trip."""
        buckets = [step.bucket(begin) for step, begin in steps]
        texts = self._read([self._keys.figures(name, bucket) for name in names for bucket in buckets])
        width = len(buckets)
        return {name: _sum(texts[i * width : (i + 1) * width]) for i, name in enumerate(names)}

    def series(self, name: str, step: Step, begins: Sequence[int]) -> list[JobMetrics]:
        """What happened to one job in each of these steps, in one round trip."""
        texts = self._read([self._keys.figures(name, step.bucket(begin)) for begin in begins])
        return [_sum([text]) for text in texts]

    def _read(self, keys: Sequence[str]) -> list[bytes | None]:
        pipe = self._link.pipeline()
        for start in range(0, len(keys), KEYS_A_READ):
            pipe.mget(keys[start : start + KEYS_A_READ])
        return [text for part in self._link.execute(pipe) for text in part]


def _increments(seen: JobMetrics) -> list[bytes]:
    """As bytes: they are sent once for each step, and redis-py takes its time to encode."""
    pairs = ((run << HALF) + wait for run, wait in zip(seen.run, seen.wait, strict=True))
    numbers = ((seen.runs << HALF) + seen.failures, round(seen.run_ms), *pairs)
    amounts = zip(PLACES, numbers, strict=True)
    return [part for place, n in amounts if n for part in (b"INCRBY", b"i64", place, b"%d" % n)]


def _sum(texts: Iterable[bytes | None]) -> JobMetrics:
    rows = [COUNTERS.unpack(text[: COUNTERS.size].ljust(COUNTERS.size, b"\0")) for text in texts if text]
    if not rows:
        return JobMetrics()
    runs, failures, ms, *counts = rows[0] if len(rows) == 1 else map(sum, zip(*rows, strict=True))
    return JobMetrics(runs, failures, ms, counts[::2], counts[1::2])
