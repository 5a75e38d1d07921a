"""Whole workers inside the test's process."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from kiq_django import signals
from kiq_django.payload import Payload
from kiq_django.worker import launcher as launchers
from kiq_django.worker import lookout
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.event_loop import EventLoop
from kiq_django.worker.reservation import Reservation
from tests.support import wait_for

# --- async jobs ---


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_the_loop_outlives_an_exit_in_a_task_of_a_job(start, declare, push, done, error):
    async def leave():
        raise error

    async def nest():
        done.append("nest")
        await asyncio.create_task(leave())

    async def note():
        done.append("note")

    declare(nest)
    declare(note)
    start()
    push("nest")
    wait_for(lambda: "nest" in done)
    push("note")
    wait_for(lambda: "note" in done, timeout=2)


def test_sync_jobs_go_on_while_the_loop_has_no_place(start, declare, push, done, gate):
    async def wait():
        await asyncio.to_thread(gate.wait)

    declare(wait)
    declare(done.append, name="note")
    for _ in range(5):
        push("wait")
    for number in range(3):
        push("note", number, queue="other")
    start(async_concurrency=1, capsules=[CapsuleConfig(queues={"default": 0, "other": 0}, concurrency=2)])
    wait_for(lambda: sorted(done) == [0, 1, 2], timeout=2)


def test_a_queue_whose_async_jobs_found_no_place_is_tried_anew(start, declare, push, done, gate, monkeypatch):
    """The loop is full all the time; what stands behind them in the queue needs none of its places."""

    async def wait():
        await asyncio.to_thread(gate.wait)

    declare(wait)
    declare(done.append, name="note")
    monkeypatch.setattr(lookout, "CROWDED_FOR", 0.2)
    push("wait")
    launcher = start(async_concurrency=1, capsules=[CapsuleConfig(queues={"default": 0}, concurrency=2)])
    wait_for(lambda: launcher.busy() == 1)
    push("wait")
    (fetcher,) = [manager.fetcher for manager in launcher.managers]
    wait_for(lambda: fetcher._lookout._crowding)
    for number in range(3):
        push("note", number)
    wait_for(lambda: done == [0, 1, 2], timeout=5)
    assert launcher.busy() == 1


def test_jobs_that_find_no_place_are_not_fetched_again_and_again(start, declare, push, done, store):
    """Once the loop was full, no more come than it has places for."""

    async def wait():
        await asyncio.sleep(0.001)
        done.append(1)

    declare(wait)
    for _ in range(300):
        push("wait")
    store.link.client.config_resetstat()
    start(async_concurrency=2, capsules=[CapsuleConfig(queues={"default": 0}, concurrency=5)])
    wait_for(lambda: len(done) == 300)
    put_back = store.link.client.info("commandstats").get("cmdstat_rpush", {"calls": 0})["calls"]
    assert put_back < 60


def test_the_loop_is_woken_once_for_all_that_come(monkeypatch):
    loop = EventLoop(50, threading.Event())
    woken, ended = [], []
    fetcher = SimpleNamespace(hand_off=lambda job: None, finish=ended.append)
    real = loop._started_loop()
    gate = threading.Event()
    real.call_soon_threadsafe(gate.wait)
    wake = real.call_soon_threadsafe
    monkeypatch.setattr(real, "call_soon_threadsafe", lambda *call: (woken.append(call), wake(*call)))
    payload = Payload({"class": "nobody", "jid": "a" * 24, "args": []})
    jobs = [Reservation("owner", "default", payload.encode()) for _ in range(51)]
    assert [loop.submit(job, payload, fetcher) for job in jobs] == [True] * 50 + [False]
    assert len(woken) == 1
    assert loop.free_places == 0
    gate.set()
    wait_for(lambda: len(ended) == 50)
    assert loop.free_places == 50 + loop.line.room
    loop.stop(1)


# --- the end ---


def test_who_wants_to_know_of_a_death_is_told_before_stop_returns(start, declare, push, store):
    told = []

    def die():
        raise ValueError

    def tell(payload, **_):
        time.sleep(0.2)
        told.append(payload.name)

    declare(die)
    signals.job_dead.connect(tell)
    try:
        push("die", retry=0)
        launcher = start()
        wait_for(lambda: store.sets.count("dead"))
        assert launcher.stop(5)
        assert told == ["die"]
    finally:
        signals.job_dead.disconnect(tell)


def test_no_thread_is_left_after_async_jobs(start, declare, push, done):
    async def note():
        done.append(1)

    declare(note)
    before = set(threading.enumerate())
    push("note")
    launcher = start()
    wait_for(lambda: done)
    assert launcher.stop(5)
    wait_for(lambda: set(threading.enumerate()) <= before, timeout=1)


def test_drain_runs_what_one_capsule_pushes_for_another(start, declare, push, done, gate, monkeypatch):
    monkeypatch.setattr(lookout, "SHORT_LOOK", 0.5)

    def first():
        gate.wait()
        push("note", 2, queue="a")

    declare(first)
    declare(done.append, name="note")
    push("first", queue="b")
    capsules = [CapsuleConfig(name=name, queues={name: 0}, concurrency=1) for name in ("a", "b")]
    launcher = start(capsules=capsules, drain=True)
    wait_for(lambda: launcher.managers[0].fetcher.drained_at > 0)
    gate.set()
    wait_for(lambda: launcher.drained)
    assert done == [2]


def test_a_stop_does_not_wait_for_a_redis_that_is_silent(start, proxy, store):
    launcher = start()
    wait_for(store.processes.identities)
    proxy.blackhole()
    began = time.monotonic()
    launcher.stop(0.1)
    assert time.monotonic() - began < 0.1 + launchers.LAST_WORDS + 2


def test_nothing_is_taken_once_a_worker_signs_off(start, push, store, waiting, monkeypatch):
    launcher = start()
    fetcher = launcher.managers[0].fetcher
    wait_for(lambda: fetcher._watch.is_waiting)
    retire = fetcher._ownership.retire

    def late_push_and_retire():
        push("job", 1)
        retire()

    monkeypatch.setattr(fetcher._ownership, "retire", late_push_and_retire)
    assert launcher.stop(5)
    assert waiting() == [1]


def test_a_job_that_has_expired_is_told_as_discarded(start, declare, push, store, done):
    from kiq_django import api

    declare(done.append, name="note")
    jid = Payload.decode(push("note", 1, expires_at=1.0)).jid
    push("note", 2)
    start()
    wait_for(lambda: done == [2])
    history = wait_for(lambda: api.history(jid))
    assert history.place == "discarded"
    assert history.attempts[-1].error_class == "kiq_django.exceptions.Expired"
    assert store.sets.page("dead", 0, 9) == []
