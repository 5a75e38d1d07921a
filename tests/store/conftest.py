"""Shorthands for tests that look at Redis itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kiq_django.payload import Payload
from kiq_django.store import Store
from tests import faults
from tests.conftest import server_programs


@pytest.fixture
def redis_call(store) -> Callable[..., Any]:
    """Send one command as it is."""
    return store.link.client.execute_command


@pytest.fixture
def full_redis(store) -> Iterator[None]:
    """The server has no memory left for anything that could need some."""
    with faults.full(store.link.client):
        yield


@pytest.fixture
def own_server() -> Iterator[faults.Server]:
    """A server that the test may kill."""
    server = faults.Server(server_programs()[0]).start()
    yield server
    server.remove()


@pytest.fixture
def payload() -> Callable[..., bytes]:
    """The bytes of a job."""

    def encoded(jid: str = "a", **fields: Any) -> bytes:
        fields = {"queue": "default", "retry": True, "now": 1.5, **fields}
        return Payload.new("job", [], {}, jid=jid, **fields).encode()

    return encoded


@pytest.fixture
def waiting(store: Store) -> Callable[..., list[bytes]]:
    """What waits on a queue, the next to run first."""

    def look(queue: str = "default") -> list[bytes]:
        return store.queues.page(queue, 0, 10_000)

    return look
