"""What else somebody may have left in our Redis, in keys of ours: workers and readers go on."""

import pytest

from kiq_django import clock
from kiq_django.api import ProcessSet, Queue, WorkSet
from kiq_django.exceptions import KiqError
from kiq_django.store.queues import Entry
from kiq_django.worker.reaper import Reaper
from tests.support import wait_for
from tests.worker.conftest import encoded

NO_TEXT = b"\xff\xfe"


@pytest.fixture
def served(start, declare, store):
    """Start a worker and wait until it has run a job."""
    done = []
    declare(done.append, name="note")

    def serve(number):
        store.queues.push([Entry("default", encoded("note", number))])
        wait_for(lambda: number in done)

    def begin():
        start()
        return serve

    return begin


def beaten(store, identity):
    return store.link.call("HGET", store.keys.process(identity), "beat")


@pytest.mark.parametrize("member", [NO_TEXT, b"", b"*", b"\r\n", b"x" * 100_000], ids=lambda member: repr(member[:9]))
def test_a_process_that_is_none(member, served, store):
    store.link.call("SADD", store.keys.processes(), member)
    serve = served()
    serve(1)
    wait_for(lambda: len(list(ProcessSet(store))) == 1)
    assert list(WorkSet(store)) == []
    store.processes.prune()


@pytest.mark.parametrize("member", ["queues", "queue:default", "retry", "stat:processed", "kiq:paused"])
def test_a_process_that_is_another_key(member, store):
    store.queues.push([Entry("default", encoded("note"))])
    store.queues.pause("other", {"by": "me"})
    store.sets.add("retry", encoded("note"), clock.now())
    store.counters.add_totals(1, 0, clock.now())
    store.processes.beat("host:1:abc", {"info": '{"queues": ["default"]}', "busy": "3"}, {})
    store.link.call("SADD", store.keys.processes(), member)
    found = store.processes.read(store.processes.identities())
    assert [process.identity for process in found] == ["host:1:abc"]
    assert store.counters.brief().busy == {"host:1:abc": 3}
    assert store.counters.overview("default").busy == {"host:1:abc": 3}
    assert store.others.queues() == {"default"}
    assert store.processes.prune() == 1
    assert store.processes.identities() == ["host:1:abc"], "it is off the list, where it had no business"
    assert store.link.call("EXISTS", member), "and what it named stays"
    assert len(list(ProcessSet(store))) == 1


def test_the_list_of_processes_may_even_name_itself(store):
    store.link.call("SADD", store.keys.processes(), "processes")
    assert list(ProcessSet(store)) == []
    assert store.processes.identities() == []


INFOS = [b"", b"x", b"[]", b"{}", b"null", NO_TEXT, b'{"queues": 5, "started_at": "x", "weights": null, "labels": {}}']


@pytest.mark.parametrize("info", INFOS, ids=repr)
def test_a_process_that_says_odd_things(info, served, store):
    identity = "host:1:abc"
    store.link.call("SADD", store.keys.processes(), identity)
    store.link.call("HSET", store.keys.process(identity), "info", info, "busy", "x", "beat", "y", "rss", NO_TEXT)
    store.link.call(
        "HSET", store.keys.work(identity), NO_TEXT, NO_TEXT, "a", b"{}", "b", b'{"payload": 5, "run_at": []}'
    )
    serve = served()
    serve(1)
    for process in ProcessSet(store):
        for attribute in dir(type(process)):
            if not attribute.startswith("_") and not callable(getattr(type(process), attribute)):
                getattr(process, attribute)
    list(WorkSet(store))


@pytest.mark.parametrize("signal", ["KILL", "", "TERM\n", "x" * 10_000, "rm -rf"])
def test_a_signal_that_is_none(signal, store, start, served):
    launcher = start()
    for process in wait_for(lambda: list(ProcessSet(store))):
        store.link.call("LPUSH", store.keys.signals(process.identity), signal)
        wait_for(lambda process=process: not store.link.call("LLEN", store.keys.signals(process.identity)))
    assert not launcher.stop_flag.is_set()


@pytest.mark.parametrize("note", [b"", b"x", b"[]", b"5", NO_TEXT, b'{"by": 5, "at": "x", "reason": []}'], ids=repr)
def test_a_note_of_a_pause_that_is_none(note, store):
    store.queues.push([Entry("default", encoded("note"))])
    store.link.call("SADD", store.keys.paused("default"), "default", NO_TEXT)
    store.link.call("HSET", store.keys.pause_notes(), "default", note)
    (found,) = Queue.summaries(names=["default"])
    assert found.paused
    store.queues.paused()
    assert Queue("default").resume()


def test_names_of_queues_that_are_no_names(served, store):
    store.link.call("SADD", store.keys.queues(), NO_TEXT, "", "\r\n", "*", "x" * 10_000)
    serve = served()
    serve(1)
    assert len(Queue.all()) >= 5
    Queue.summaries(names=[queue.name for queue in Queue.all()])


def died(store):
    """A process that held a job of `default`."""
    store.queues.push([Entry("default", encoded("note"))])
    store.working.register("gone:1:a", ["default"], 30)
    store.working.turn([], "gone:1:a", ["default"], 1)
    store.working.register("gone:1:a", ["default"], 0)


def reaped(store):
    """One round of a reaper."""
    Reaper(store, 5, 30).tick()
    return store.queues.sizes(["default"]) == {"default": 1}


def test_a_served_queue_that_is_no_name(store):
    store.link.call("SADD", store.keys.served(), NO_TEXT)
    died(store)
    assert [queue for queue, _ in store.search.held()] == ["default"]
    assert reaped(store)


def test_what_such_a_queue_holds_is_taken_back_too(store, caplog):
    owner = b"gone\xfe:1:a"
    store.link.call("SADD", store.keys.served(), NO_TEXT)
    store.link.call("ZADD", b"kiq:owners:" + NO_TEXT, 1, owner)
    store.link.call("LPUSH", b"kiq:working:" + NO_TEXT + b":" + owner, b"newer", b"\xff")
    died(store)
    assert reaped(store)
    assert store.link.call("LRANGE", b"queue:" + NO_TEXT, 0, -1) == [b"\xff", b"newer"]
    caplog.text.encode()


@pytest.mark.parametrize("key", ["kiq:owners:a", "kiq:working:a:gone:1:a", "queue:a"])
def test_a_list_of_another_type_keeps_nobody_else_from_coming_back(key, store):
    store.queues.push([Entry("a", encoded("note"))])
    store.working.register("gone:1:a", ["a"], 0)
    store.working.turn([], "gone:1:a", ["a"], 1)
    store.link.call("SET", key, "x")
    died(store)
    assert reaped(store)
    assert store.link.call("GET", key) == b"x"


@pytest.mark.parametrize("key", ["queues", "queue:default", "retry", "dead", "schedule", "processes", "paused"])
def test_a_key_of_another_type_is_an_error_of_ours(key, store):
    store.link.call("SET", key, "x")
    for call in (
        lambda: store.queues.push([Entry("default", encoded("note"))]),
        lambda: store.queues.states(["default"]),
        lambda: store.counters.overview("default"),
        lambda: store.sets.page("retry", 0, 10),
        lambda: list(ProcessSet(store)),
    ):
        try:
            call()
        except KiqError as error:
            assert "answered with an error: WRONGTYPE" in str(error)  # noqa: PT017
