"""Everything that a worker has counted since the last time, written in one transaction."""

from collections.abc import Mapping

from kiq_django.store.flow import Flow
from kiq_django.store.link import Link
from kiq_django.store.metrics import JobMetrics, Metrics
from kiq_django.store.sidekiq_metrics import SidekiqMetrics, safe_names
from kiq_django.store.totals import Totals


class Ledger:
    """What is counted per job, per queue and in all: it is in Redis together or not at all."""

    def __init__(self, link: Link, sidekiq: SidekiqMetrics, metrics: Metrics, totals: Totals, flow: Flow) -> None:
        self._link = link
        self._sidekiq = sidekiq
        self._metrics = metrics
        self._totals = totals
        self._flow = flow

    def write(
        self, jobs: Mapping[str, JobMetrics], now: float, ended: Mapping[int, Mapping[str, int]] | None = None
    ) -> None:
        """Add it all up: jobs and totals to the steps that `now` lies in, what left the queues to its own minutes.

        Args:
            jobs: by name. Sidekiq's keys cannot hold every name: a `:` takes the place of `|` and `/`, in ours too.
            now: epoch seconds.
            ended: runs that ended, by the begin of their minute, and by queue.

        Raises:
            StoreUnavailable: it is unknown whether it was written.
            StoreRefused: nothing was written.
            StoreError: all was written but what Redis complained of, such as a key of another type.
        """
        named = safe_names(jobs)
        pipe = self._link.pipeline(atomic=True)
        self._sidekiq.write(pipe, named, now)
        self._metrics.write(pipe, named, now)
        runs, failures = (sum(getattr(seen, what) for seen in named.values()) for what in ("runs", "failures"))
        self._totals.write(pipe, runs, failures, now)
        self._flow.write(pipe, ended or {})
        self._link.execute(pipe)
