"""Pushes that wait for replicas, with a real master and a real replica."""

import signal
import threading

import pytest
from django.db import transaction

from kiq_django import clock, job, registry, signals
from kiq_django import store as stores
from kiq_django.exceptions import NotReplicated, StoreError
from kiq_django.features import outbox as feature
from kiq_django.outbox import book
from kiq_django.payload import Payload
from tests.store.servers import bare, redis_server
from tests.support import round_trips, wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


@pytest.fixture
def pair(tmp_path, settings):
    """A master in `KIQ`, and its replica."""
    with redis_server(tmp_path / "master", "--repl-diskless-sync-delay", "0") as master:
        of = ("--replicaof", "127.0.0.1", str(master.port))
        with redis_server(tmp_path / "replica", *of) as replica:
            settings.KIQ = {
                **settings.KIQ,
                "REDIS": f"redis://127.0.0.1:{master.port}/0",
                "ADAPTER": "redis",
                "LIMITS": {"replica_seconds": 4},
            }
            with bare(replica.port) as client:
                wait_for(
                    lambda: client.info("replication").get("master_link_status") == "up", 20, "the replica in sync"
                )
            yield master, replica


@pytest.fixture
def impatient(pair, settings):
    """For what is not to come anyway."""
    settings.KIQ = {**settings.KIQ, "LIMITS": {"replica_seconds": 0.1}}


@pytest.fixture
def careful(pair, monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))

    @job(name="careful", wait_replicas=1)
    def careful(number): ...

    return careful


def on(server, queue="default"):
    """Jobs that a server has."""
    with bare(server.port) as client:
        return [Payload.decode(raw).args[0] for raw in reversed(client.lrange(f"queue:{queue}", 0, -1))]


def test_when_it_returns_the_replica_has_it(careful, pair):
    _, replica = pair
    for number in range(50):
        careful.enqueue(number)
        assert on(replica)[-1] == number
    careful.enqueue_all([(number,) for number in range(50, 1_200)])
    assert on(replica) == list(range(1_200))
    with bare(replica.port) as client:
        careful.enqueue_in(60, 1)
        assert client.zcard("schedule") == 1


def test_it_costs_no_round_trip(careful):
    careful.enqueue(1)
    with round_trips() as sent:
        careful.enqueue(2)
    assert len(sent) == 1


def test_too_few_replicas_are_told_and_the_job_is_stored(impatient, careful, pair):
    master, _ = pair
    seen = []

    def receiver(payload, **_):
        seen.append(payload.args[0])

    signals.job_enqueued.connect(receiver)
    try:
        with pytest.raises(NotReplicated, match=r"stored in Redis at .* run, but [01] of 2 wanted replicas"):
            careful.using(wait_replicas=2).enqueue(1)
    finally:
        signals.job_enqueued.disconnect(receiver)
    assert on(master) == seen == [1]


def test_after_a_commit_it_comes_out_of_the_block(impatient, careful, pair):
    master, replica = pair
    replica.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(NotReplicated, match="0 of 1 wanted"), transaction.atomic():
            careful.enqueue(1)
    finally:
        replica.process.send_signal(signal.SIGCONT)
    assert on(master) == [1]


def test_a_job_that_does_not_ask_waits_for_nobody(careful, pair):
    master, replica = pair
    replica.process.send_signal(signal.SIGSTOP)
    try:
        careful.using(wait_replicas=0).enqueue(1)
        assert on(master) == [1]
    finally:
        replica.process.send_signal(signal.SIGCONT)


def test_the_setting_is_for_all(impatient, pair, settings, careful):
    settings.KIQ = {**settings.KIQ, "DEFAULTS": {"wait_replicas": 2}}

    @job(name="plain")
    def plain(): ...

    with pytest.raises(NotReplicated):
        plain.enqueue()


@pytest.mark.usefixtures("pair")
async def test_from_an_event_loop(careful, settings):
    assert await careful.aenqueue(1)
    settings.KIQ = {**settings.KIQ, "LIMITS": {"replica_seconds": 0.1}}
    with pytest.raises(NotReplicated):
        await careful.using(wait_replicas=2).aenqueue(2)


def test_a_row_stays_in_the_outbox_until_the_replica_has_the_job(impatient, careful, pair, outbox, monkeypatch):
    master, replica = pair
    monkeypatch.setattr(feature, "GRACE", -1.0)
    replica.process.send_signal(signal.SIGSTOP)
    try:
        with transaction.atomic():
            careful.using(outbox=True).enqueue(1)
        assert on(master) == [1]
        assert outbox.objects.count() == 1
        plain = Payload.new("plain", [2], {}, queue="default", retry=True, now=clock.now())
        book.write([plain], "default", replicas=0)
        feature.Relay(stores.get()).tick()
        assert on(master) == [1, 2], "it keeps nobody behind it waiting"
        assert outbox.objects.count() == 1
    finally:
        replica.process.send_signal(signal.SIGCONT)
    stores.get().link.call("DEL", stores.get().keys.relay())
    wait_for(lambda: relayed(outbox), 10, "the row to be gone")
    assert on(replica) == on(master) == [1, 2]


def relayed(outbox):
    store = stores.get()
    store.link.call("DEL", store.keys.relay())
    try:
        feature.Relay(store).tick()
    except NotReplicated:
        return False
    return not outbox.objects.exists()


def test_a_failover_loses_nothing_that_was_acknowledged(careful, pair):
    """The canary: a stream of pushes, a master killed in the midst of it, its replica promoted."""
    master, replica = pair
    acknowledged = []

    def stream():
        for number in range(1_000_000):
            try:
                careful.enqueue(number)
            except NotReplicated:
                continue  # stored, and perhaps lost: that is what it says
            except StoreError:
                return
            acknowledged.append(number)

    streaming = threading.Thread(target=stream)
    streaming.start()
    wait_for(lambda: len(acknowledged) > 200, 20)
    master.kill()
    streaming.join(20)
    with bare(replica.port) as client:
        client.replicaof("NO", "ONE")
    assert set(acknowledged) - set(on(replica)) == set()
