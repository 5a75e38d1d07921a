"""How long jobs ran, counted in Sidekiq's 26 buckets; percentiles are read from the buckets."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

BOUNDS_MS = (
    *(20, 30, 45, 65, 100, 150, 225, 335, 500, 750, 1100, 1700, 2500),
    *(3800, 5750, 8500, 13000, 20000, 30000, 45000, 65000, 100000, 150000, 225000, 335000),
)
"""Upper bounds in milliseconds, exclusive, of all buckets but the last, which has none."""
SIZE = len(BOUNDS_MS) + 1


def empty() -> list[int]:
    """Counts of nothing."""
    return [0] * SIZE


def index_of(ms: float) -> int:
    """The bucket of a duration: the first whose bound lies above it. 20 ms belongs to bucket 1."""
    return bisect_right(BOUNDS_MS, ms)


def add(counts: list[int], ms: float, times: int = 1) -> None:
    """Count one duration in place."""
    counts[index_of(ms)] += times


def merge(histograms: Iterable[Sequence[int]]) -> list[int]:
    """The sum of several counts; a shorter one counts as zero where it ends."""
    total = empty()
    for counts in histograms:
        for index, count in enumerate(counts[:SIZE]):
            total[index] += count
    return total


def percentile(counts: Sequence[int], q: float) -> float:
    """The duration that a share `q` of the runs stayed below, in milliseconds.

    Linear inside a bucket; the last bucket is open, so its lower bound is all that is known. No runs: 0.0.

    Args:
        counts: runs in each bucket.
        q: share of the runs, 0 to 1.

    Raises:
        ValueError: `q` is not a share.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"q is a share from 0 to 1, not {q!r}; write 0.95 for the 95th percentile")
    wanted = q * sum(counts)
    below = 0
    for index, count in enumerate(counts):
        if count and below + count >= wanted:
            return _inside(index, (wanted - below) / count)
        below += count
    return 0.0


def _inside(index: int, share: float) -> float:
    lower = float(BOUNDS_MS[index - 1]) if index else 0.0
    return lower if index == SIZE - 1 else lower + share * (BOUNDS_MS[index] - lower)
