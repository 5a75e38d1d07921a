"""Workers inside the test's process, on a real server: started by a call, stopped with the test."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from kiq_django import conf, job, registry
from kiq_django import store as stores
from kiq_django.payload import Payload
from kiq_django.store import Store, connections
from kiq_django.store.queues import Entry
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.launcher import Launcher
from tests import faults
from tests.conftest import server_programs

QUICK = {"heartbeat": 0.2, "lease": 30, "poll_interval": 0.1, "shutdown_timeout": 5}
"""A worker whose every clock is fast; its lease is not, so that only those who want it are reaped."""


_ended: list[Launcher] = []
"""To go as soon as a stopped worker closes its event loop: one that is collected open disturbs whoever runs then."""


@pytest.fixture(autouse=True)
def _plain(settings):
    """No features: their tests are elsewhere."""
    settings.KIQ = {**settings.KIQ, "FEATURES": []}


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch):
    """What a test declares is unknown to the next."""
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))


@pytest.fixture
def declare() -> Callable[..., Any]:
    """Make a function a job, under its own bare name."""

    def declared(function: Callable[..., Any], **options: Any) -> Any:
        return job(name=options.pop("name", function.__name__), **options)(function)

    return declared


@pytest.fixture
def push(store) -> Callable[..., bytes]:
    """Push a job as any client would, by name. Returns its bytes."""

    def pushed(name: str, *args: Any, queue: str = "default", **fields: Any) -> bytes:
        raw = encoded(name, *args, queue=queue, **fields)
        store.queues.push([Entry(queue, raw)])
        return raw

    return pushed


def encoded(name: str, *args: Any, **fields: Any) -> bytes:
    """The bytes of a job."""
    fields = {"queue": "default", "retry": True, "now": 1.5, **fields}
    return Payload.new(name, args, {}, **fields).encode()


def numbers(raws: Iterable[bytes]) -> list[Any]:
    """The first argument of each job."""
    return [Payload.decode(raw).args[0] for raw in raws]


@pytest.fixture
def waiting(store) -> Callable[..., list[Any]]:
    """First arguments of the jobs that wait on a queue, the next to run first."""

    def look(queue: str = "default") -> list[Any]:
        return numbers(store.queues.page(queue, 0, 10_000))

    return look


@pytest.fixture
def start(store) -> Iterator[Callable[..., Launcher]]:
    """Start a worker; queues are given as a dict of weights. Whatever still runs is stopped with the test."""
    started: list[Launcher] = []

    def starting(queues: dict[str, int] | None = None, concurrency: int = 2, **options: Any) -> Launcher:
        told = options.pop("told", lambda name: None)
        journal = options.pop("journal", None)
        capsules = [CapsuleConfig(queues=queues or {"default": 0}, concurrency=concurrency)]
        config = WorkerConfig(**{"capsules": capsules, **QUICK, **options})
        launcher = Launcher(config, stores.get, told, journal)
        started.append(launcher)
        launcher.start()
        return launcher

    yield starting
    for launcher in started:
        if not launcher.stop_flag.is_set():
            launcher.stop(0)
        _ended.append(launcher)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a job may wait on; opened at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def proxy(store, server_url, settings) -> Iterator[faults.Proxy]:
    """Stands between all stores that are made from now on and the server; `store` itself goes past it."""
    between = faults.Proxy(server_url.removeprefix("unix://"))
    settings.KIQ = {**settings.KIQ, "REDIS": between.url}
    yield between
    between.close()


@pytest.fixture
def own_server(settings) -> Iterator[faults.Server]:
    """A server that the test may kill; the one of all stores that are made from now on."""
    server = faults.Server(server_programs()[0]).start()
    settings.KIQ = {**settings.KIQ, "REDIS": server.url, "ADAPTER": "redis"}
    yield server
    server.remove()


@pytest.fixture
def reader() -> Callable[[str], Store]:
    """A store over connections that nothing else uses."""

    def opened(url: str) -> Store:
        return Store(connections.target(url), "", conf.get().limits, "heartbeat")

    return opened
