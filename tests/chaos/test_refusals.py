"""A server that is there and refuses: nothing is lost meanwhile, and afterwards jobs run within seconds."""

import contextlib
import time

import pytest
import redis

from kiq_django import clock, conf
from kiq_django import store as stores
from kiq_django.payload import Payload
from kiq_django.store import Store, acl, connections
from kiq_django.store.queues import Entry
from tests import faults
from tests.acceptance.process import effects
from tests.chaos.look import left
from tests.conftest import server_programs
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

QUEUE = "default"
LASTS = 0.5
"""Seconds of each trouble: longer than the pauses between attempts are at first."""
RETURN = 5.0
"""Seconds within which jobs run again."""
SLACK = 10
"""Seconds that a busy machine may add."""
WORKER, PASSWORD = "kiq-worker", "only-here"


@contextlib.contextmanager
def forbidden(client, directory):
    """Somebody takes the worker's rights away, and gives them back."""
    client.execute_command("ACL", "SETUSER", WORKER, "-@all")
    yield
    client.execute_command(*setuser())


@contextlib.contextmanager
def paused(client, what):
    """The server answers to nothing, or to nothing that could write; not even to the order to go on."""
    client.execute_command("CLIENT", "PAUSE", int(1_000 * LASTS), what)
    yield


TROUBLES = {
    "it cannot save": faults.unsaved,
    "it was demoted": lambda client, directory: faults.demoted(client),
    "it is full": lambda client, directory: faults.full(client),
    "it pauses": lambda client, directory: paused(client, "ALL"),
    "it pauses writes": lambda client, directory: paused(client, "WRITE"),
    "the worker has no rights": forbidden,
}


def setuser():
    [role] = [role for role in acl.roles() if role.name == "worker"]
    first, *selectors = acl.line(role, "", WORKER).split(" (")
    return [*first.split(), *(f"({each}" for each in selectors), "on", f">{PASSWORD}"]


@pytest.fixture
def server(settings):
    """One of this test alone, which the worker knows by a user of the least rights."""
    made = faults.Server(server_programs()[0], "--enable-protected-configs", "yes").start()
    with made.client() as client:
        client.execute_command(*setuser())
    settings.KIQ = {**settings.KIQ, "REDIS": {"url": made.url, "username": WORKER, "password": PASSWORD}}
    settings.KIQ["ADAPTER"] = "redis"
    yield made
    made.remove()


@pytest.fixture
def store(server):
    """Its owner's view, over connections that the worker does not use."""
    return Store(connections.target(server.url), "", conf.get().limits, "heartbeat")


def push(store, numbers, seconds=0.0):
    for number in numbers:
        job = Payload.new("tests.chaos.app.jobs.work", [number, seconds], {}, queue=QUEUE, retry=True, now=clock.now())
        store.queues.push([Entry(QUEUE, job.encode())])


def once(numbers):
    return {f"{what} {number}": 1 for number in numbers for what in ("begin", "end")}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_that_comes_and_goes(trouble, server, store, survivor, tmp_path):
    """Once while jobs run, and once while the worker waits for some."""
    push(store, range(60), 0.02)
    survivor(lease=30)
    with server.client() as owner:
        wait_for(lambda: effects(tmp_path)["end 2"], 20, "the first jobs")
        with TROUBLES[trouble](owner, server.directory):
            faults.last(LASTS)
        wait_for(lambda: not left(store), RETURN + SLACK, "the rest of the jobs")
        wait_for(lambda: owner.info("clients")["blocked_clients"] == 2, RETURN + SLACK, "the worker to wait")
        with TROUBLES[trouble](owner, server.directory):
            faults.last(LASTS)
        push(store, range(60, 70))
        began = time.monotonic()
        wait_for(lambda: not left(store), RETURN + SLACK, "the jobs that came afterwards")
        print(f"{trouble}: again after {time.monotonic() - began:.1f} s")
    assert dict(effects(tmp_path)) == once(range(70))
    assert store.link.call("KEYS", "kiq:recovered:*") == []


def test_a_server_that_loads_its_data_is_waited_for(settings, nursery, tmp_path):
    """At the start of the worker, and while it works."""
    slowly = ("--key-load-delay", "400", "--loading-process-events-interval-bytes", "1024")
    server = faults.Server(server_programs()[0], "--appendonly", "no", *slowly).start()
    settings.KIQ = {**settings.KIQ, "REDIS": server.url, "ADAPTER": "redis"}
    store = stores.get()
    try:
        store.link.send([("SET", f"filler:{number}", "x" * 50) for number in range(2_000)])
        push(store, range(10))
        worker = None
        for done in (10, 20):
            store.link.call("SAVE")
            server.kill()
            server.start(ready=False)
            wait_for(lambda: is_loading(server), what="the server to load")
            worker = worker or nursery.worker(server.url, tmp_path, "-c", "2")
            wait_for(server.answers, 30, "the server to have loaded")
            push(store, range(done, done + 10))
            wait_for(lambda: not left(store), RETURN + SLACK, "the jobs of before, and of now")
            assert dict(effects(tmp_path)) == once(range(done + 10))
        worker.kill()
    finally:
        server.remove()


def is_loading(server):
    with contextlib.suppress(redis.ConnectionError), server.client() as client:
        try:
            client.ping()
        except redis.exceptions.BusyLoadingError:
            return True
    return False
