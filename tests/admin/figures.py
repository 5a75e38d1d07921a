"""Figures as workers write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kiq_django import clock, histogram
from kiq_django.store.metrics import JobMetrics


def seen(run_ms: Sequence[float] = (), wait_ms: Sequence[float] = (), failures: int = 0) -> JobMetrics:
    """What a worker counted of one job: its successful runs by their time, and its failures."""
    found = JobMetrics(runs=len(run_ms) + failures, failures=failures, run_ms=sum(run_ms))
    for ms in run_ms:
        histogram.add(found.run, ms)
    for ms in wait_ms:
        histogram.add(found.wait, ms)
    return found


@pytest.fixture
def ran(store: Any) -> Callable[..., None]:
    """Have workers have run a job: `ran("pay", [20, 300], failures=1, minutes_ago=5)`."""

    def ran(
        name: str,
        run_ms: Sequence[float] = (),
        wait_ms: Sequence[float] = (),
        failures: int = 0,
        *,
        minutes_ago: float = 0,
    ) -> None:
        found, now = seen(run_ms, wait_ms, failures), clock.now() - 60 * minutes_ago
        store.ledger.write({name: found}, now)

    return ran
