"""Queues of several lists: how jobs are dealt, what keeps its order, what Sidekiq sees."""

import pytest

from kiq_django import conf, job
from kiq_django import store as stores
from kiq_django.api import Queue
from kiq_django.exceptions import ConfigurationError
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from kiq_django.worker.queue_order import QueueOrder
from tests.support import wait_for


@pytest.fixture
def store(settings, server_url):
    """One server with a queue of four lists."""
    queues = {"bulk": {"weight": 1, "partitions": 4}, "default": 1}
    settings.KIQ = {**settings.KIQ, "REDIS": server_url, "ADAPTER": "redis", "QUEUES": queues}
    found = stores.get()
    found.link.call("FLUSHALL")
    return found


def length(store, name: str) -> int:
    return store.link.call("LLEN", f"queue:{name}")


def push(store, number: int) -> None:
    made = [Payload.new("note", [i], {}, queue="bulk", retry=True, now=1.0 + i) for i in range(number)]
    store.queues.push([Entry("bulk", payload.encode()) for payload in made])


def test_jobs_are_dealt_in_turn_to_lists_that_sidekiq_sees(store):
    push(store, 40)
    assert [length(store, f"bulk:{number}") for number in range(1, 5)] == [10] * 4
    assert length(store, "bulk") == 0
    assert {name.decode() for name in store.link.call("SMEMBERS", "queues")} == {f"bulk:{n}" for n in range(1, 5)}


def test_people_see_one_queue(store):
    push(store, 9)
    assert [(each.name, each.size) for each in Queue.summaries()] == [("bulk", 9)]
    assert [job.args for job in Queue("bulk").page()] == [[number] for number in range(9)]
    assert Queue("bulk:1").size in {2, 3}
    assert {job.queue for job in Queue("bulk:1").page()} == {"bulk"}


def test_jobs_of_one_key_keep_their_order(store, done, declare, start):
    record = declare(lambda customer, number: done.append((customer, number)), name="note", partition_by="customer")
    record = record.using(queue="bulk")
    record.enqueue_all([(customer, number) for number in range(20) for customer in "abc"])
    keys = [{job.args[0] for job in Queue(f"bulk:{number}").page()} for number in range(1, 5)]
    assert sum(map(len, keys)) == 3
    start({"bulk": 1}, concurrency=1)
    wait_for(lambda: len(done) == 60)
    for customer in "abc":
        assert [number for name, number in done if name == customer] == list(range(20))


def test_a_key_of_ones_own(store, declare):
    note = declare(lambda number: None, name="note").using(queue="bulk", partition_key="x")
    note.enqueue_all([(number,) for number in range(12)])
    assert sorted(length(store, f"bulk:{number}") for number in range(1, 5)) == [0, 0, 0, 12]


def test_a_parameter_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match=r"partition_by='shop', which is none of its parameters. Known: order"):

        @job(name="pay", partition_by="shop")
        def pay(order): ...


def test_what_others_push_to_the_queues_own_list_runs_too(store, start, declare, done):
    declare(done.append, name="note")
    store.link.call("LPUSH", "queue:bulk", Payload.new("note", [7], {}, queue="bulk", retry=True, now=1.0).encode())
    start({"bulk": 1})
    wait_for(lambda: done == [7])


def test_a_retry_tells_the_queue_and_not_the_list(store, start, declare):
    def note(number):
        raise ValueError(number)

    declare(note)
    push(store, 1)
    start({"bulk": 1})
    wait_for(lambda: store.sets.count("retry") == 1)
    ((raw, _),) = store.sets.page("retry", 0, 1)
    assert Payload.decode(raw).queue == "bulk"


def test_more_partitions_of_a_paused_queue_are_paused_too(store, settings, start, declare, done):
    declare(done.append, name="note")
    Queue("bulk").pause("ann")
    settings.KIQ = {**settings.KIQ, "QUEUES": {"bulk": {"partitions": 6}, "default": 1}}
    start({"bulk": 1})
    more = stores.get()
    wait_for(lambda: "bulk:6" in {name.decode() for name in store.link.call("SMEMBERS", "paused")})
    push(more, 12)
    assert (Queue("bulk").size, done) == (12, [])
    Queue("bulk").resume()
    wait_for(lambda: len(done) == 12)


def test_every_list_is_first_in_its_turn():
    lists = {"bulk": ("bulk", "bulk:1", "bulk:2")}
    order = QueueOrder({"a": 0, "bulk": 0}, lists=lambda queue: lists.get(queue, (queue,)))
    assert order.names == ["a", "bulk", "bulk:1", "bulk:2"]
    assert [order.draw() for _ in range(2)] == [["a", "bulk", "bulk:1", "bulk:2"], ["a", "bulk:1", "bulk:2", "bulk"]]


@pytest.mark.parametrize(
    ("queues", "trouble"),
    [
        ({"bulk": {"partitions": 0}}, "must be 1 to 64 partitions, not 0"),
        ({"bulk": {"partitions": 65}}, "must be 1 to 64 partitions, not 65"),
        ({"bulk": {"partitions": 2}, "bulk:2": 1}, "has a queue 'bulk:2', which is a partition of 'bulk' too"),
    ],
)
def test_unusable_partitions(settings, queues, trouble):
    settings.KIQ = {**settings.KIQ, "QUEUES": queues}
    with pytest.raises(ConfigurationError, match=trouble):
        conf.get()


def test_without_partitions_the_store_is_the_plain_one(settings, server_url):
    settings.KIQ = {**settings.KIQ, "REDIS": server_url, "QUEUES": {"default": 1}}
    assert type(stores.get()) is stores.Store
