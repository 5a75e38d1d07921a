"""Whole workers inside the test's process."""

import asyncio
import threading
import time

import pytest

from kiq_django import signals
from kiq_django.worker import fetcher as fetchers
from kiq_django.worker import launcher as launchers
from kiq_django.worker.config import CapsuleConfig
from tests.support import wait_for

# --- async jobs ---


@pytest.mark.xfail(
    strict=True,
    reason="SystemExit or KeyboardInterrupt in a task that an async job made leaves run_forever, and with it ends "
    "the thread kiq-asyncio: every async job of the process hangs from then on, under a lease that is renewed",
)
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


@pytest.mark.xfail(
    strict=True,
    reason="EventLoop.submit blocks the capsule's thread until the loop has a place: with as many async jobs more "
    "than places as there are threads, no sync job runs, and what they hold is kept from other processes",
)
def test_sync_jobs_go_on_while_the_loop_has_no_place(start, declare, push, done, gate):
    async def wait():
        await asyncio.to_thread(gate.wait)

    declare(wait)
    declare(done.append, name="note")
    for _ in range(5):
        push("wait")
    for number in range(3):
        push("note", number)
    start(async_concurrency=1)
    wait_for(lambda: sorted(done) == [0, 1, 2], timeout=2)


# --- the end ---


@pytest.mark.xfail(
    strict=True,
    reason="Manager.join waits for the fetcher alone: death callbacks that stand in the buffer, or run, are cut off "
    "by the end of the process, although their jobs' ends are stored",
)
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


@pytest.mark.xfail(strict=True, reason="nothing ever stops the thread kiq-asyncio, nor closes its loop")
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


@pytest.mark.xfail(
    strict=True,
    reason="`drained` is what each capsule saw at its own last look: a job that one capsule's last job pushed for "
    "another one is not seen, and the worker ends with it waiting",
)
def test_drain_runs_what_one_capsule_pushes_for_another(start, declare, push, done, gate, monkeypatch):
    monkeypatch.setattr(fetchers, "DRAIN_LOOK", 0.5)

    def first():
        gate.wait()
        push("note", 2, queue="a")

    declare(first)
    declare(done.append, name="note")
    push("first", queue="b")
    capsules = [CapsuleConfig(name=name, queues={name: 0}, concurrency=1) for name in ("a", "b")]
    launcher = start(capsules=capsules, drain=True)
    wait_for(lambda: launcher.managers[0].fetcher.drained)
    gate.set()
    wait_for(lambda: launcher.drained)
    assert done == [2]


@pytest.mark.xfail(
    strict=True,
    reason="a stop while Redis does not answer waits for the fetcher, each service and then twice for `leave`, one "
    "after the other: about 10 s beyond the timeout, past a container's usual patience",
)
def test_a_stop_does_not_wait_for_a_redis_that_is_silent(start, proxy, store):
    launcher = start()
    wait_for(store.processes.identities)
    proxy.blackhole()
    began = time.monotonic()
    launcher.stop(0.1)
    assert time.monotonic() - began < 0.1 + launchers.LAST_WORDS + 2
