"""Operations in workers, on a real server."""

import logging
import time

import pytest

from kiq_django import clock, plugins
from kiq_django import store as stores
from kiq_django.api import labour
from kiq_django.api.operations import Operations
from kiq_django.api.sets import DeadSet
from kiq_django.exceptions import StoreUnavailable
from kiq_django.features import operations as feature
from kiq_django.features.operations import LOOK_EVERY, Activity, Runner
from kiq_django.payload import Payload
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.launcher import Launcher
from tests.support import wait_for


@pytest.fixture
def runner(store):
    return Runner(store, Activity())


@pytest.fixture
def dead(store):
    """So many dead jobs."""

    def dead(number, name="a"):
        pipe = store.link.pipeline()
        for score in range(number):
            payload = Payload.new(name, [score], {}, queue="default", retry=True, now=1.0)
            pipe.zadd("dead", {payload.encode(): clock.now() - 100 + score / number})
        store.link.execute(pipe)

    return dead


def test_it_works_off_what_there_is(store, runner, dead, caplog):
    dead(100)
    caplog.set_level(logging.INFO, "kiq_django.worker")
    first, second = (Operations(store).start("delete", DeadSet()) for _ in range(2))
    runner.tick()
    known = Operations(store)
    assert [known.find(each.id).state for each in (first, second)] == ["done", "done"]
    assert DeadSet().size == 0
    assert f"Operation {first.id} (delete in dead) has ended: done." in caplog.text
    assert runner.interval() == LOOK_EVERY


def test_between_slices_it_rests_and_longer_under_load(store, runner, dead, monkeypatch):
    dead(60)
    monkeypatch.setattr(labour, "CHUNK", 5)
    monkeypatch.setattr(labour, "FIRST", 5)
    monkeypatch.setattr(feature, "SLICE", 0)
    took = iter(range(0, 1_000, 1))
    operation = Operations(store).start("delete", DeadSet())
    monkeypatch.setattr(clock, "monotonic", lambda: next(took) / 100)
    runner.tick()
    assert Operations(store).find(operation.id).done == 5
    idle = runner.interval()
    runner._activity.note([])
    runner.tick()
    busy = runner.interval()
    assert 0 < idle < busy / 3 < LOOK_EVERY


def test_while_another_is_at_it_it_waits(store, runner, dead):
    dead(3)
    operation = Operations(store).start("delete", DeadSet())
    store.operations.claim(operation.id, "host:1:other")
    runner.tick()
    assert (runner.interval(), DeadSet().size) == (LOOK_EVERY, 3)


def test_it_ends_in_time_when_it_is_stopped(store, runner, dead, monkeypatch):
    dead(3)
    for _ in range(3):
        Operations(store).start("delete", DeadSet())
    runner.stop()
    runner.tick()
    assert len(Operations(store).open()) == 3


def test_redis_away_is_survived(store, runner, dead, monkeypatch):
    dead(30)
    operation = Operations(store).start("delete", DeadSet())
    remove = store.operations.remove
    monkeypatch.setattr(store.operations, "remove", lambda *_: 1 / 0 if False else _raise())
    with pytest.raises(StoreUnavailable):
        runner.tick()
    monkeypatch.setattr(store.operations, "remove", remove)
    runner.tick()
    assert Operations(store).find(operation.id).state == "done"


def _raise():
    raise StoreUnavailable("away")


def test_with_nothing_to_do_it_sends_one_command(store, runner):
    runner.tick()
    before = store.link.client.info("stats")["total_commands_processed"]
    runner.tick()
    after = store.link.client.info("stats")["total_commands_processed"]
    assert after - before == 2  # the other one is INFO


def test_activity():
    activity = Activity()
    assert not activity.is_busy
    activity.note([])
    assert activity.is_busy


def test_it_is_in_force_by_default(settings):
    settings.KIQ = {"ADAPTER": "test"}
    assert feature.feature in plugins.features()


@pytest.fixture
def launcher(store, settings):
    """A whole worker, with this feature."""
    settings.KIQ = {**settings.KIQ, "FEATURES": ["kiq_django.features.operations"]}
    capsules = [CapsuleConfig(queues={"default": 0}, concurrency=2)]
    config = WorkerConfig(capsules=capsules, heartbeat=0.2, lease=30, poll_interval=60, shutdown_timeout=5)
    launcher = Launcher(config, stores.get, lambda name: None)
    launcher.start()
    yield launcher
    launcher.stop(5)


def test_in_a_worker(launcher, store, dead, done):
    dead(40, name="tests.jobsapp.jobs.record")
    operation = Operations(store).start("retry", DeadSet())
    wait_for(lambda: Operations(store).find(operation.id).state == "done")
    wait_for(lambda: len(done) == 40)
    assert DeadSet().size == 0


def test_a_cancel_is_felt_within_two_seconds(launcher, store, dead):
    dead(20_000)
    operation = Operations(store).start("delete", DeadSet())
    wait_for(lambda: Operations(store).find(operation.id).done)
    began = time.monotonic()
    Operations(store).cancel(operation.id)
    left = DeadSet().size
    assert time.monotonic() - began < 2
    assert left
    ended = Operations(store).find(operation.id)
    ticks = launcher.services[-1].ticks
    wait_for(lambda: launcher.services[-1].ticks > ticks + 1)
    assert DeadSet().size == left == 20_000 - ended.done
