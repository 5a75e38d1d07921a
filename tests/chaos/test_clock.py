"""The clock of the Redis server jumps: a job may run twice, none is lost, and none waits for the clock to catch up."""

import shutil

import pytest

from kiq_django import clock
from kiq_django.payload import Payload
from kiq_django.store import scripts
from kiq_django.store.queues import Entry
from kiq_django.worker import reaper
from tests import faults
from tests.acceptance.process import effects
from tests.chaos.look import left
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

DAY = 86_400
JUMP = "the clock of these tests"
"""Key: seconds by which all scripts of these tests take the server's clock to be off."""
TIME = "redis.call('TIME')"


@pytest.fixture
def jump(store, tmp_path, monkeypatch):
    """Let the clock jump, for all scripts of this process."""
    folder = tmp_path / "lua"
    shutil.copytree(scripts.FOLDER, folder)
    for path in folder.rglob("*.lua"):
        off = f"{{{TIME}[1] + (redis.call('GET', '{JUMP}') or 0), {TIME}[2]}}"
        path.write_text(path.read_text().replace(TIME, off))
    monkeypatch.setattr(scripts, "FOLDER", folder)
    scripts.load.cache_clear()
    yield lambda seconds: store.link.call("SET", JUMP, seconds)
    store.link.call("DEL", JUMP)
    monkeypatch.undo()
    scripts.load.cache_clear()


@pytest.fixture
def push(store):
    def pushed(name, *args):
        job = Payload.new(f"tests.chaos.app.jobs.{name}", args, {}, queue="default", retry=True, now=clock.now())
        store.queues.push([Entry("default", job.encode())])

    return pushed


@pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["ahead", "back"])
def test_a_running_job_runs_twice_at_most_and_others_go_on(store, jump, push, survivor, tmp_path, seconds):
    survivor(lease=2)
    survivor(lease=2)
    push("hold", 1)
    wait_for(lambda: effects(tmp_path)["hold 1"])
    jump(seconds)
    for number in range(2, 22):
        push("work", number, 0.01)
    wait_for(lambda: sum(effects(tmp_path)[f"end {number}"] for number in range(2, 22)) >= 20, 20, "the other jobs")
    (tmp_path / "go").touch()
    wait_for(lambda: not left(store), 20, "all jobs to be done")
    seen = effects(tmp_path)
    assert 1 <= seen["hold 1"] <= 2
    assert all(seen[f"begin {number}"] <= 2 for number in range(2, 22))
    assert store.sets.count("dead") == 0


def test_the_jobs_of_the_dead_do_not_wait_until_the_clock_has_caught_up(store, jump, push, survivor, tmp_path):
    """It died before the clock was set back by a day: its lease ends tomorrow."""
    push("work", 1, 0.0)
    store.working.register("gone:1:a", ["default"], 2)
    assert store.working.turn([], "gone:1:a", ["default"], 1).taken
    jump(-DAY)
    survivor(lease=0.4)
    wait_for(lambda: effects(tmp_path)["end 1"], 0.4 * reaper.ADRIFT + 10, "the job of the dead")
    wait_for(lambda: not left(store), what="its end to be stored")


def test_who_has_a_longer_lease_than_others_and_renews_it_is_alive(store):
    """As a process with other settings would."""
    looking = reaper.Reaper(store, 0.01, 0.02)
    store.working.register("patient:1:a", ["default"], 3600)
    for _ in range(60):
        assert store.working.renew("patient:1:a", ["default"], 3600)
        looking.tick()
        faults.last(0.01)
    assert store.working.owners("default")["patient:1:a"] > 0
    wait_for(lambda: looking.tick() or store.working.owners("default")["patient:1:a"] < 0, what="its silence to count")
