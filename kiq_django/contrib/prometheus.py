"""Figures for Prometheus, read from Redis each time that they are asked for: right from any process, and no
multi-process mode is needed.

`REGISTRY.register(KiqCollector())`, or the view `metrics` in the project's URLs: it shows names of queues, so put it
behind what guards your other figures. Needs `prometheus_client` (`pip install "kiq-django[prometheus]"`).
"""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kiq_django import store as stores
from kiq_django.api.processes import ProcessSet
from kiq_django.api.queues import Queue
from kiq_django.api.stats import Stats
from kiq_django.exceptions import StoreError


class KiqCollector:
    """Totals, sizes, waiting times and processes. While Redis does not answer it says `kiq_up 0` and no more."""

    def describe(self) -> list[Metric]:
        """Registering asks nothing of Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All figures at this moment, in a handful of round trips at any size."""
        up = GaugeMetricFamily("kiq_up", "Whether Redis answered.")
        try:
            found = list(_figures())
        except StoreError:
            up.add_metric([], 0)
            found = []
        else:
            up.add_metric([], 1)
        yield up
        yield from found


def metrics(request: HttpRequest) -> HttpResponse:
    """The same as a page of its own: `path("metrics/jobs", kiq_django.contrib.prometheus.metrics)`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(KiqCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _figures() -> Iterator[Metric]:
    store = stores.get("dashboard")
    stats = Stats(store)
    yield CounterMetricFamily("kiq_jobs_processed", "Runs that ended, well or not.", value=stats.processed)
    yield CounterMetricFamily("kiq_jobs_failed", "Runs that failed.", value=stats.failed)
    sizes = GaugeMetricFamily("kiq_set_size", "Jobs in a set.", labels=["set"])
    for name, size in (("schedule", stats.scheduled_size), ("retry", stats.retry_size), ("dead", stats.dead_size)):
        sizes.add_metric([name], size)
    yield sizes
    yield from _queues(store)
    yield from _processes(store)


def _queues(store: stores.Store) -> Iterator[Metric]:
    size = GaugeMetricFamily("kiq_queue_size", "Jobs that wait.", labels=["queue"])
    latency = GaugeMetricFamily("kiq_queue_latency_seconds", "How long the next job has waited.", labels=["queue"])
    paused = GaugeMetricFamily("kiq_queue_paused", "Whether nobody fetches from it.", labels=["queue"])
    for queue in Queue.summaries(store):
        size.add_metric([queue.name], queue.size)
        latency.add_metric([queue.name], queue.latency)
        paused.add_metric([queue.name], queue.paused)
    yield from (size, latency, paused)


def _processes(store: stores.Store) -> Iterator[Metric]:
    processes = list(ProcessSet(store))
    yield GaugeMetricFamily("kiq_processes", "Worker processes that live.", value=len(processes))
    yield GaugeMetricFamily("kiq_threads", "Threads of all workers.", value=sum(each.concurrency for each in processes))
    yield GaugeMetricFamily("kiq_busy", "Jobs that run.", value=sum(each.busy for each in processes))
