"""Jobs whose time has come go to their queues, once, and nothing stands in their way."""

import json
import threading

import pytest

from kiq_django import clock
from kiq_django.payload import Payload
from kiq_django.worker.poller import BATCH, Poller
from tests.support import wait_for
from tests.worker.conftest import encoded

UNREADABLE = [
    b"",
    b"{",
    b"[1",
    b"null",
    b"7",
    b"[]",
    b'"x"',
    b"NaN",
    b'{"class":"a","jid":"b","args":[1e400]}',
    b'{"class":"a","jid":"\\ud800","args":[]}',
    b'{"class":"a","jid":"b","args":[],"queue":"\\udfff"}',
    b"[" * 100_000,
    b'{"class":"a","jid":"b","args":' + b"[" * 120 + b"]" * 120 + b"}",
    b"9" * 5000,
    b'{"class":"a","jid":"b","args":[],"x":"\xff"}',
    b"\xef\xbb\xbf{}",
    b"\x00\x01\x02",
    b'{"class":"a","jid":"b","args":{}}',
    b'{"class":"a","jid":"b","args":"x"}',
    b'{"jid":"b","args":[]}',
    b'{"class":"a","args":[]}',
    b'{"class":"a","jid":"b","args":[],"queue":5}',
    b'{"class":"a","jid":"b","args":[],"retry_count":"1"}',
]
"""What no reader of the wire takes for a job."""
STRANGE = [
    b'{"class":"a","jid":"b"}',
    b'{"class":"a","jid":"c","args":null,"queue":null}',
    b'{"class":"a","jid":"d","args":[],"retry":-1,"at":"soon","enqueued_at":"then","failed_at":{}}',
    b'{"class":"a","jid":"e","args":[],"queue":"with space: and \\n colon {}"}',
    b'{"class":"__import__(\\"os\\")","jid":"../../f","args":[123456789012345678901234567890]}',
    b'{"class":"a","class":"b","jid":"g","args":[],"at":1e308}',
]
"""Jobs, if odd ones."""


@pytest.fixture
def poller(store):
    return Poller(store, 5)


# --- one round ---


@pytest.mark.parametrize("name", ["retry", "schedule"])
def test_what_is_due_is_pushed_as_a_client_would(store, poller, name):
    raw = encoded("job", 1, queue="mail", at=5.0, retry_count=2, custom={"a": [1]})
    store.sets.add(name, raw, 5.0)
    before = clock.now()
    poller.tick()
    [pushed] = store.queues.page("mail", 0, 9)
    document = Payload.decode(pushed).document
    assert before <= document.pop("enqueued_at") <= clock.now()
    assert document == {key: value for key, value in json.loads(raw).items() if key != "at"}
    assert store.queues.names() == ["mail"]
    assert store.sets.count(name) == 0


def test_what_is_not_due_stays(store, poller):
    raw = encoded("job", 1)
    store.sets.add("schedule", raw, clock.now() + 60)
    poller.tick()
    assert store.sets.page("schedule", 0, 9)[0][0] == raw
    assert store.queues.names() == []


def test_the_earliest_is_next(store, poller, waiting):
    for number in (3, 1, 2):
        store.sets.add("retry", encoded("job", number), number)
    poller.tick()
    assert waiting() == [1, 2, 3]


def test_a_round_does_not_stop_at_a_batch(store, poller, waiting):
    for number in range(2 * BATCH + 1):
        store.sets.add("retry", encoded("job", number), 1.0)
    poller.tick()
    assert sorted(waiting()) == list(range(2 * BATCH + 1))


@pytest.mark.parametrize("name", ["retry", "schedule"])
def test_what_cannot_be_read_goes_to_the_dead_set_as_it_is(store, poller, waiting, name):
    for number, raw in enumerate(UNREADABLE):
        store.sets.add(name, raw, 1.0 + number)
    store.sets.add(name, encoded("job", "last"), 1000.0)
    poller.tick()
    assert waiting() == ["last"]
    assert sorted(raw for raw, _ in store.sets.page("dead", 0, 100)) == sorted(UNREADABLE)


@pytest.mark.strange_keys
def test_what_has_no_list_for_a_queue_goes_to_the_dead_set_and_stands_in_nobodys_way(store, poller, waiting):
    store.link.call("SET", store.keys.queue("odd"), "no list")
    odd = [encoded("job", number, queue="odd") for number in range(BATCH + 5)]
    for raw in odd:
        store.sets.add("schedule", raw, 1.0)
    store.sets.add("schedule", encoded("job", "last"), 1000.0)
    store.sets.add("retry", one := encoded("job", "one", queue="odd"), 1.0)
    poller.tick()
    poller.tick()
    assert waiting() == ["last"]
    assert sorted(raw for raw, _ in store.sets.page("dead", 0, 200)) == sorted([*odd, one])


def test_odd_jobs_pass(store, poller, waiting):
    for number, raw in enumerate(STRANGE):
        store.sets.add("retry", raw, 1.0 + number)
    store.sets.add("retry", encoded("job", "last"), 1000.0)
    poller.tick()
    assert store.sets.count("retry") == store.sets.count("dead") == 0
    assert sum(store.queues.sizes(store.queues.names()).values()) == len(STRANGE) + 1


def test_a_batch_of_the_unreadable_ends(store, poller):
    for number in range(BATCH + 5):
        store.sets.add("retry", b"{%d" % number, 1.0)
    poller.tick()
    assert store.sets.count("dead") == BATCH + 5


# --- several ---


def test_two_pollers_push_each_job_once(store, waiting):
    numbers = list(range(800))
    for number in numbers:
        store.sets.add("schedule", encoded("job", number), 1.0)
    threads = [threading.Thread(target=Poller(store, 5).tick) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(waiting()) == numbers


@pytest.mark.parametrize(
    ("processes", "average", "least", "most"),
    [(1, 5, 2.5, 7.5), (4, 20, 10, 30), (9, 45, 22.5, 67.5), (20, 100, 0, 200)],
)
def test_together_they_look_as_often_as_one(store, processes, average, least, most):
    poller = Poller(store, 5)
    for number in range(processes):
        store.processes.beat(f"h:{number}:a", {"info": "{}"}, {})
    poller.tick()
    waits = [poller.interval() for _ in range(4000)]
    assert sum(waits) / len(waits) == pytest.approx(average, rel=0.05)
    assert least <= min(waits) <= max(waits) <= most


def test_first_rounds_are_spread(poller):
    waits = [poller.first_wait() for _ in range(1000)]
    assert 0 <= min(waits) <= max(waits) <= 5
    assert sum(waits) / 1000 == pytest.approx(2.5, rel=0.15)


# --- in a worker ---


def test_a_failed_job_is_tried_again(start, declare, push, store, monkeypatch):
    tries = []

    def fail_once():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError

    declare(fail_once)
    monkeypatch.setattr("kiq_django.retry.delay", lambda *args: 0.05)
    push("fail_once")
    start()
    wait_for(lambda: len(tries) == 2)
    wait_for(lambda: store.counters.totals() == (2, 1))


def test_a_quiet_worker_pushes_no_more(start, store):
    launcher = start()
    launcher.quiet()
    assert launcher.poller.join(5)
    store.sets.add("retry", encoded("job", 1), 1.0)
    assert store.sets.count("retry") == 1
