"""Worker processes that end with the test."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kiq_django import payload
from kiq_django.store.queues import Entry
from tests.acceptance.process import WorkerProcess, workers


@pytest.fixture
def worker(store, server_url, tmp_path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start a worker on the test's server; its jobs write to `tmp_path`."""
    with workers(server_url, tmp_path) as start:
        yield start


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def push(store) -> Callable[..., str]:
    """Push a job of `tests.acceptance.app.jobs` as any client would: by name."""

    def push(name: str, *args: Any, queue: str = "default", at: float | None = None, **fields: Any) -> str:
        full = name if "." in name else f"tests.acceptance.app.jobs.{name}"
        fields.setdefault("retry", True)
        made = payload.Payload.new(full, args, {}, queue=queue, now=1.5, **fields)
        store.queues.push([Entry(queue, made.encode(), at)])
        return made.jid

    return push
