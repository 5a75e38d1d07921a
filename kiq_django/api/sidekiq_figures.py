"""What stands in Sidekiq's metrics: read where workers of Ruby's have been, since they write nothing else.

Our workers write there too, so of each number the larger one is the whole.
"""

from collections.abc import Iterable, Mapping, Sequence

from kiq_django import histogram
from kiq_django.api.periods import Period
from kiq_django.store.metrics import JobMetrics
from kiq_django.store.sidekiq_metrics import SidekiqMetrics
from kiq_django.store.steps import MINUTE, TEN_MINUTES

LONGEST_BY_MINUTE = 480
"""Minutes for which Sidekiq keeps single minutes, and histograms."""
MOST_HISTOGRAMS = 50
"""Jobs whose run times are read, those that took most time: each has a key a minute."""
Found = dict[str, dict[int, JobMetrics]]
"""By name, and by the begin of the minute or ten minutes."""


class SidekiqFigures:
    """Sidekiq's metrics of one period: by minute with run times up to eight hours, beyond by ten minutes without."""

    def __init__(self, source: SidekiqMetrics, period: Period) -> None:
        self._source = source
        self._period = period
        self._is_by_minute = period.length <= LONGEST_BY_MINUTE * 60
        self._step = MINUTE if self._is_by_minute else TEN_MINUTES

    def sums(self) -> dict[str, JobMetrics]:
        """All jobs."""
        read = self._source.minutes if self._is_by_minute else self._source.ten_minutes
        found = self._by_job(read(self._moments()))
        self._add_run_times({name: found[name] for name in _busiest(found)})
        return {name: _sum(steps.values()) for name, steps in found.items()}

    def series(self, name: str) -> list[JobMetrics]:
        """One job, in each step of the period."""
        read = self._source.minutes_of if self._is_by_minute else self._source.ten_minutes_of
        found = self._by_job(read(name, self._moments()))
        self._add_run_times(found)
        grouped: dict[int, list[JobMetrics]] = {}
        for moment, seen in found.get(name, {}).items():
            grouped.setdefault(self._period.step.begin(moment), []).append(seen)
        return [_sum(grouped.get(begin, ())) for begin in self._period.begins]

    def _moments(self) -> range:
        return range(self._period.begin, int(self._period.now) + 1, self._step.seconds)

    def _by_job(self, steps: Sequence[Mapping[str, int]]) -> Found:
        found: Found = {}
        for begin, fields in zip(self._moments(), steps, strict=True):
            for key, amount in fields.items():
                name, _, what = key.rpartition("|")
                seen = found.setdefault(name, {}).setdefault(begin, JobMetrics())
                if what == "p":
                    seen.runs = amount
                elif what == "f":
                    seen.failures = amount
                elif what == "ms":
                    seen.run_ms = amount
        return found

    def _add_run_times(self, found: Found) -> None:
        """A histogram lies in the minute that its runs were counted in: no other needs to be read."""
        if not self._is_by_minute:
            return
        places = [(name, begin) for name, steps in found.items() for begin in steps]
        for (name, begin), counts in zip(places, self._source.run_times(places), strict=True):
            found[name][begin].run = counts


def larger(ours: JobMetrics, theirs: JobMetrics) -> JobMetrics:
    """The whole of what two readings tell of the same runs."""
    run = theirs.run if sum(theirs.run) > sum(ours.run) else ours.run
    runs, failures = max(ours.runs, theirs.runs), max(ours.failures, theirs.failures)
    return JobMetrics(runs, failures, max(ours.run_ms, theirs.run_ms), run, ours.wait)


def _busiest(found: Found) -> list[str]:
    took = {name: sum(seen.run_ms for seen in steps.values()) for name, steps in found.items()}
    return sorted(took, key=lambda name: -took[name])[:MOST_HISTOGRAMS]


def _sum(found: Iterable[JobMetrics]) -> JobMetrics:
    total = JobMetrics()
    for seen in found:
        total.runs += seen.runs
        total.failures += seen.failures
        total.run_ms += seen.run_ms
    total.run = histogram.merge(seen.run for seen in found)
    return total
