"""The end of a worker: what runs may finish, what does not goes back once, and nothing of the worker is left."""

import asyncio
import gc
import threading
import time
from pathlib import Path

import pytest
import redis

from kiq_django import current_job
from kiq_django import store as stores
from kiq_django.store import connections
from kiq_django.worker.config import CapsuleConfig
from tests.support import wait_for


@pytest.fixture
def stay(declare, gate):
    """A job that runs until the gate opens; the list holds those that have begun."""
    begun = []

    def stay(number):
        begun.append(number)
        gate.wait()

    declare(stay)
    return begun


def held(store, queue="default"):
    """What is on the working lists of a queue."""
    return [raw for owner in store.working.owners(queue) for _, raw in store.working.held(owner, [queue])]


# --- in time ---


def test_what_runs_may_finish(start, store, push, stay, gate, waiting):
    push("stay", 1)
    launcher = start()
    wait_for(lambda: stay)
    threading.Timer(0.1, gate.set).start()
    assert launcher.stop(5)
    assert (waiting(), held(store), store.counters.totals()) == ([], [], (1, 0))


def test_an_idle_worker_ends_at_once(start, store):
    launcher = start({"default": 0, "other": 0})
    wait_for(lambda: store.link.client.info("clients")["blocked_clients"] == 2)
    began = time.monotonic()
    assert launcher.stop(5)
    assert time.monotonic() - began < 1


def test_a_job_is_told_that_the_end_is_near(start, push, declare):
    told = []

    def look():
        told.append(current_job().interrupted)
        wait_for(lambda: current_job().interrupted)
        told.append(current_job().interrupted)

    declare(look)
    push("look")
    launcher = start()
    wait_for(lambda: told)
    assert launcher.stop(5)
    assert told == [False, True]


def test_what_nobody_has_begun_goes_back_in_its_old_order(start, store, push, stay, gate, waiting):
    for number in range(20):
        push("stay", number)
    launcher = start(concurrency=2)
    wait_for(lambda: len(stay) == 2)
    launcher.quiet()
    assert waiting() == list(range(2, 20))
    gate.set()
    assert launcher.stop(5)
    assert waiting() == list(range(2, 20))


def test_a_worker_that_drains_under_load_loses_nothing_when_it_is_stopped(start, store, push, declare, waiting):
    ran = []
    declare(ran.append, name="note")
    for number in range(600):
        push("note", number)
    for _ in range(6):
        launcher = start(concurrency=4)
        seen = len(ran)
        wait_for(lambda seen=seen: len(ran) > seen or not waiting())
        assert launcher.stop(5)
        assert held(store) == []
        assert sorted(ran + waiting()) == list(range(600))


# --- at the deadline ---


def test_what_still_runs_goes_back_once_in_its_old_order(start, store, push, stay, gate, waiting):
    for number in range(5):
        push("stay", number)
    launcher = start(concurrency=3)
    wait_for(lambda: len(stay) == 3)
    began = time.monotonic()
    assert not launcher.stop(0.05)
    assert time.monotonic() - began < 0.8
    assert launcher.managers[0].fetcher.join(0)
    assert store.processes.identities() == []
    assert (waiting(), held(store)) == ([0, 1, 2, 3, 4], [])
    gate.set()
    for processor in launcher.managers[0].processors:
        wait_for(lambda processor=processor: processor.current is None)
    assert (waiting(), held(store)) == ([0, 1, 2, 3, 4], [])
    assert store.counters.totals() == (0, 0)
    assert [store.sets.count(name) for name in ("retry", "dead", "schedule")] == [0, 0, 0]


@pytest.fixture
def cut_off(start, store, proxy, push, declare, done, stay):
    """A worker behind the proxy that runs a job without end, and waits for no other."""
    declare(done.append, name="note")
    push("note", 0)
    push("stay", 1)
    launcher = start(concurrency=1)
    wait_for(lambda: stay)
    wait_for(lambda: len(held(store)) == 1)
    wait_for(lambda: not store.link.client.info("clients")["blocked_clients"])
    return launcher


def test_once_also_when_the_answer_is_lost(cut_off, store, proxy, waiting):
    proxy.drop_replies(1, to=b"requeue")
    assert not cut_off.stop(0.05)
    assert proxy.dropped == 1
    assert (waiting(), held(store)) == ([1], [])


def test_one_broken_connection_at_the_deadline_leaves_nothing_to_the_reaper(cut_off, store, proxy, waiting):
    store.link.call("SCRIPT", "FLUSH")  # so that what is asked is not done: its answer is NOSCRIPT
    proxy.drop_replies(1, to=b"requeue")
    assert not cut_off.stop(0.05)
    assert proxy.dropped == 1
    assert (waiting(), held(store)) == ([1], [])


def test_a_job_that_ends_at_the_deadline_runs_once_or_is_back_once(start, store, push, stay, gate, waiting):
    """By chance one or the other: never both gone, never back twice."""
    for number in range(8):
        gate.clear()
        stay.clear()
        push("stay", number)
        launcher = start(concurrency=1)
        wait_for(lambda: stay)
        threading.Timer(0.05, gate.set).start()
        launcher.stop(0.05)
        gate.set()
        left = waiting()
        assert left in ([], [number])
        assert held(store) == []
        settler = launcher.managers[0].fetcher.settler
        assert settler.processed + len(left) == 1
        store.queues.clear("default")


def test_async_jobs_are_cut_off_and_back(start, store, push, declare, waiting):
    begun, ended = [], []

    async def hold(number):
        begun.append(number)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    declare(hold)
    for number in range(3):
        push("hold", number)
    launcher = start(concurrency=1)
    wait_for(lambda: len(begun) == 3)
    launcher.stop(0.05)
    assert (sorted(waiting()), held(store)) == ([0, 1, 2], [])
    assert sorted(ended) == [0, 1, 2]


def test_threads_end_also_where_the_process_lives_on(start, push, stay, gate):
    """At once those that are idle, the others with their jobs."""
    push("stay", 1)
    launcher = start(concurrency=3)
    wait_for(lambda: stay)
    threads = [processor.thread for processor in launcher.managers[0].processors]
    assert not launcher.stop(0)
    wait_for(lambda: sum(thread.is_alive() for thread in threads) == 1, what="idle threads to end")
    gate.set()
    wait_for(lambda: not any(thread.is_alive() for thread in threads), what="the last thread to end")


def test_without_redis_the_lease_ends_and_another_does_the_rest(start, store, proxy, push, stay, waiting):
    push("stay", 1)
    launcher = start(lease=0.3)
    wait_for(lambda: held(store))
    proxy.refuse()
    began = time.monotonic()
    assert not launcher.stop(0.05)
    assert time.monotonic() - began < 4
    assert len(held(store)) == 1
    [owner] = store.working.owners("default")
    wait_for(lambda: store.working.expired(["default"]) == [("default", owner)])
    launcher.reaper._store = store
    assert launcher.reaper.reap("default", owner) == 1
    assert waiting() == [1]


# --- what is left ---


def left_open(server_url, store):
    """Files of this process and connections that the server has of us, once all pools have closed theirs."""
    connections.forget()
    connections.renew(store.link.client)
    stores.get.cache_clear()
    gc.collect()
    with redis.Redis(unix_socket_path=server_url.removeprefix("unix://")) as client:
        ours = {each["id"] for each in client.client_list() if each["name"].startswith("kiq:")}
    return len(list(Path("/proc/self/fd").iterdir())), ours


def fewer_or_the_same(now, before):
    """Whether no file was added, and no connection."""
    return now[0] <= before[0] and now[1] <= before[1]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_is_left_after_the_end(start, store, server_url, push, declare, done):
    async def later(number):
        done.append(number)

    def fail(number):
        done.append(number)
        raise ValueError

    declare(done.append, name="note")
    declare(later)
    declare(fail)
    capsules = [
        CapsuleConfig(queues={"default": 0}, concurrency=3),
        CapsuleConfig(name="b", queues={"x": 1, "y": 2}, concurrency=2),
    ]

    def cycle():
        done.clear()
        for name in ("note", "later", "fail"):
            for queue in ("default", "x", "y"):
                push(name, 1, queue=queue, retry=0)
        launcher = start(capsules=capsules, heartbeat=0.05)
        wait_for(lambda: len(done) == 9)
        wait_for(lambda: store.link.client.info("clients")["blocked_clients"] == 3)
        assert launcher.stop(5)

    cycle()  # what is made once a process is made here
    threads, before = set(threading.enumerate()), left_open(server_url, store)
    for _ in range(4):
        cycle()
    wait_for(lambda: set(threading.enumerate()) <= threads, what="no thread is left")
    wait_for(lambda: fewer_or_the_same(left_open(server_url, store), before), what="no file, no connection is left")


def test_keys_that_are_left_are_those_that_must_be(start, store, push, declare, done):
    declare(done.append, name="note")
    push("note", 1)
    launcher = start()
    wait_for(lambda: done)
    assert launcher.stop(5)
    names = {name.decode() for name in store.link.call("KEYS", "*")}
    day = {name for name in names if name.startswith("stat:") and name.count(":") == 2}
    expected = {"queues", "stat:processed", "stat:failed", "process_cleanup", "kiq:served", "kiq:owners:default"}
    identity = launcher.config.identity  # that it has left is known for a while
    assert names - day - expected == {identity}
    assert 0 < store.link.call("TTL", identity) <= 60


def test_many_starts_and_stops(start, store):
    for number in range(15):
        launcher = start()
        if number % 3 == 0:
            wait_for(store.processes.identities)
        began = time.monotonic()
        assert launcher.stop(2)
        assert time.monotonic() - began < 2.5
    assert store.processes.identities() == []
