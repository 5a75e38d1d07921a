"""Shorthands for tests that look at Redis itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kiq_django.payload import Payload
from kiq_django.store import Store, connections
from kiq_django.store.queues import Entry
from kiq_django.store.working import Batch, Working
from tests import faults
from tests.conftest import server_programs
from tests.store.servers import bare, redis_server

QUEUES = ["default"]


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
def push(store, payload) -> Callable[..., list[bytes]]:
    """Push jobs with these ids; the first is the next to run."""

    def pushed(*jids: str, queue: str = "default", **fields: Any) -> list[bytes]:
        raws = [payload(jid, queue=queue, **fields) for jid in jids]
        store.queues.push([Entry(queue, raw) for raw in raws])
        return raws

    return pushed


@pytest.fixture
def waiting(store: Store) -> Callable[..., list[bytes]]:
    """What waits on a queue, the next to run first."""

    def look(queue: str = "default") -> list[bytes]:
        return store.queues.page(queue, 0, 10_000)

    return look


@pytest.fixture
def working(store: Store) -> Working:
    return store.working


@pytest.fixture
def members(store: Store) -> Callable[[str], list[bytes]]:
    """What is in a sorted set, the lowest score first."""

    def look(name: Any) -> list[bytes]:
        return [raw for raw, _ in store.sets.page(name, 0, 10_000)]

    return look


@pytest.fixture
def server_now(store: Store) -> Callable[[], float]:
    """Epoch seconds by the server's clock."""

    def look() -> float:
        seconds, microseconds = store.link.call("TIME")
        return int(seconds) + int(microseconds) / 1_000_000

    return look


def take(working: Working, owner: str = "me", queues=QUEUES, room: int = 10) -> list[bytes]:
    """Register and reserve. Returns the payloads, the next to run first."""
    working.register(owner, queues, 30)
    return [raw for _, raw in working.turn([], owner, queues, room).taken]


def settle(working: Working, *moves, acks=(), owner: str = "me", queue: str = "default") -> bytes:
    """Settle one batch. Returns a character per job, the acks first."""
    [answer] = working.turn([Batch(owner, queue, list(acks), list(moves))], owner, [], 0).settled
    return answer


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def server(running):
    """A server without keys."""
    yield running
    connections.forget()
    with bare(running.port) as client:
        client.flushall()


# --- failover ---


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two servers, to be master in turn."""
    folder = tmp_path_factory.mktemp("pair")
    with redis_server(folder / "a") as one, redis_server(folder / "b") as other:
        yield one, other


@pytest.fixture
def demote(pair):
    """Make the first server a replica of the second."""
    one, other = pair

    def demoted():
        with bare(one.port) as client:
            client.replicaof("127.0.0.1", other.port)

    yield demoted
    with bare(one.port) as client:
        client.replicaof("NO", "ONE")


@pytest.fixture
def address(pair):
    """An address that leads to the first server, and later to the second, as a name or a proxy does."""
    between = faults.Proxy(pair[0].port)
    yield between
    between.close()
