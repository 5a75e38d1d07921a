"""What the chaos tests share: a world of jobs, and workers that are sound."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiq_django import store as stores
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.launcher import Launcher
from tests.acceptance.app import jobs as acceptance_jobs
from tests.chaos.app import jobs as chaos_jobs
from tests.chaos.nursery import Nursery

JOBS = (acceptance_jobs, chaos_jobs)
"""Imported so that a worker in this process knows them too."""


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Makes workers in no time."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def survivor(store, settings, tmp_path: Path) -> Iterator[Callable[..., Launcher]]:
    """Start a sound worker in this process; it ends with the test. Its jobs write to `tmp_path`."""
    settings.DIRECTORY = tmp_path
    started: list[Launcher] = []

    def start(lease: float = 30) -> Launcher:
        config = WorkerConfig(
            capsules=[CapsuleConfig(queues={"critical": 0, "default": 0}, concurrency=2)],
            heartbeat=0.2,
            lease=lease,
            poll_interval=0.1,
        )
        launcher = Launcher(config, stores.get, lambda name: None)
        started.append(launcher)
        launcher.start()
        return launcher

    yield start
    for launcher in started:
        launcher.stop(5)
