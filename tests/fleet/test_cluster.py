"""A cluster of three masters: slots, and slots that move while jobs run."""

import threading

import pytest
from redis.crc import key_slot

from kiq_django import store as stores
from kiq_django.api import Queue, RetrySet
from kiq_django.exceptions import StoreRefused, StoreUnavailable
from kiq_django.payload import Payload
from kiq_django.store import connections
from kiq_django.store.keys import Keys, tagged
from kiq_django.store.queues import Entry
from kiq_django.worker.config import CapsuleConfig
from tests.fleet.conftest import kiq
from tests.support import wait_for

QUEUES = {"default": 0, "mail": 0, "other": 0}


@pytest.fixture
def store(settings, cluster):
    cluster.flush()
    settings.KIQ = {**settings.KIQ, **kiq("cluster", "", cluster.url), "ADAPTER": "redis"}
    return stores.get()


def push(store, numbers, queue="default"):
    made = [Payload.new("note", [number], {}, queue=queue, retry=True, now=1.0) for number in numbers]
    store.queues.push([Entry(queue, payload.encode()) for payload in made])


def keys_of(cluster) -> list[str]:
    return [key.decode() for number in range(3) for key in cluster.node(number).keys("*")]


def test_everything_of_one_list_lies_in_one_slot(store, cluster, start, declare, done):
    declare(done.append, name="note")
    for queue in QUEUES:
        push(store, range(5), queue)
    start(capsules=[CapsuleConfig(queues=QUEUES, concurrency=2)])
    wait_for(lambda: len(done) == 15)
    lists = {"@", "default", "default:1", "default:2", "mail", "other"}
    assert {key[1 : key.index("}")] for key in keys_of(cluster)} <= lists
    assert len({cluster.owner(key_slot(f"{{{name}}}".encode())) for name in lists}) > 1


def test_jobs_go_on_while_slots_move_under_them(store, cluster, start, declare, done):
    """0 lost, no CROSSSLOT, nothing but a wait."""
    declare(done.append, name="note")
    launcher = start(capsules=[CapsuleConfig(queues=QUEUES, concurrency=3)])
    wait_for(lambda: store.processes.identities())
    troubles, pushed, over = [], [], threading.Event()

    def feed():
        number = 0
        while not over.is_set():
            batch = range(number, number + 20)
            try:
                push(store, batch, list(QUEUES)[number // 20 % 3])
                pushed.extend(batch)
            except (StoreRefused, StoreUnavailable) as error:
                troubles.append(error)
            number += 20

    feeder = threading.Thread(target=feed)
    feeder.start()
    for name in ("default:1", "mail", "other", "@", "default:2", "default"):
        slot = key_slot(f"{{{name}}}".encode())
        source = cluster.owner(slot)
        cluster.move(slot, source, (source + 1) % 3)
    over.set()
    feeder.join()
    wait_for(lambda: set(pushed) <= set(done), timeout=30, what="all jobs")
    assert troubles == []
    assert len(done) == len(set(done)), "a job ran twice"
    assert launcher.stop(5)
    assert Queue("default").size + RetrySet().size == 0


def test_a_plain_server_is_no_cluster(settings, server_url):
    settings.KIQ = {**settings.KIQ, "REDIS": {"url": "redis://127.0.0.1:1", "cluster": True}}
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1 cannot be reached"):
        stores.get().queues.names()


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        ({"url": "redis://h:1/3", "cluster": True}, "database 0 alone"),
        ({"url": "unix:///s", "cluster": True}, "no sockets"),
        ({"url": "redis://h", "cluster": True, "layout": "sidekiq"}, "a cluster with the layout 'sidekiq'"),
        ({"url": "redis://h", "layout": "shards"}, "must be 'sidekiq' or 'cluster', not 'shards'"),
        ({"url": "redis://h", "cluster": 3}, "must be True or False, not 3"),
    ],
)
def test_unusable_clusters(value, trouble):
    with pytest.raises(connections.ConfigurationError, match=trouble):
        connections.target(value)


def test_a_tag_is_a_prefix():
    assert Keys(tagged("app:", "mail")).queue("mail") == "app:{mail}:queue:mail"
