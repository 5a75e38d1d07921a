"""What waits in the test adapter, and running it."""

from datetime import datetime, timedelta
from typing import Any

from kiq_django import adapters, clock, conf
from kiq_django.adapters.test import TestAdapter
from kiq_django.exceptions import ConfigurationError
from kiq_django.execution import Outcome
from kiq_django.jobs import Job
from kiq_django.jobs.moments import epoch
from kiq_django.payload import Payload
from kiq_django.testing.travel import travel

ENDLESS = 10_000
"""Jobs in one `drain` after which we believe that they enqueue each other for ever."""


def adapter() -> TestAdapter:
    """The test adapter in force.

    Raises:
        ConfigurationError: another one is.
    """
    found = adapters.get()
    if not isinstance(found, TestAdapter):
        raise ConfigurationError(
            f"KIQ['ADAPTER'] is {conf.get().adapter!r}, which keeps nothing for tests. Set KIQ = {{'ADAPTER': 'test'}} "
            "in the settings of your tests, use the fixture kiq, or JobsTestMixin"
        )
    return found


def enqueued(job: Job[..., Any] | None = None, *, queue: str | None = None) -> list[Payload]:
    """What waits, in the order of enqueueing; only of this job, or queue. Scheduled jobs have `at`."""
    return [
        payload
        for payload in adapter().enqueued()
        if (job is None or payload.name == job.name) and queue in (None, payload.queue)
    ]


def clear() -> None:
    """Forget what waits."""
    adapter().clear()


def drain(
    *, queue: str | None = None, until: datetime | timedelta | float | None = None, limit: int | None = None
) -> list[Outcome]:
    """Run what waits, and what that enqueues, as a worker would: through JSON and the server middleware.

    Args:
        queue: only this one.
        until: run scheduled jobs up to this moment too, or for so long from now. Each runs in its turn, with the
            clock at its time, so that what it enqueues "in an hour" comes an hour after it. The time that the runs
            take does not count.
        limit: at most so many; the others go on waiting.

    Returns:
        How each run went, in order.

    Raises:
        AssertionError: 10,000 jobs have run and there are still more, without a limit: they enqueue each other.
        BaseException: what the first failing job raised; the others go on waiting.
    """
    kept, now = adapter(), clock.now()
    latest = _latest(until, now)
    outcomes: list[Outcome] = []
    while len(outcomes) != limit and (payload := kept.take(queue, latest)):
        if limit is None and len(outcomes) >= ENDLESS:
            raise AssertionError(
                f"drain() has run {ENDLESS:,} jobs and {payload.name} still waits: jobs that enqueue each other for "
                "ever? Say limit= to run so many"
            )
        now = max(now, payload.at or 0)
        with travel(now):
            outcomes.append(kept.run(payload))
            if until is not None:  # what a run enqueues "in an hour" comes later by what it took to get there
                latest += clock.now() - now
    return outcomes


def _latest(until: datetime | timedelta | float | None, now: float) -> float:
    if isinstance(until, timedelta):
        return now + until.total_seconds()
    return now if until is None else epoch(until)
