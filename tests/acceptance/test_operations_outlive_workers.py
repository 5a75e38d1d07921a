"""An operation in real workers: one is killed in the middle, another finishes."""

import json

import pytest

from kiq_django import clock
from kiq_django.api.filters import Filter
from kiq_django.api.operations import Operations
from kiq_django.api.sets import DeadSet, RetrySet
from kiq_django.payload import Payload
from tests.acceptance.places import lay
from tests.acceptance.process import effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance
JOB = "tests.acceptance.app.jobs.touch"
JOBS = 12_000


def fill(store, number, name=JOB, first=0):
    """Dead jobs of a minute ago."""
    then = clock.now() - 60
    for start in range(first, first + number, 1_000):
        pairs = [
            (then + i / 1e6, Payload.new(name, [i], {}, queue="default", retry=True, now=then).encode())
            for i in range(start, min(start + 1_000, first + number))
        ]
        lay(store, "dead", pairs)


def test_one_worker_is_killed_half_way_and_another_finishes(worker, store):
    """Into a queue that nobody serves, so that everything can be counted."""
    fill(store, JOBS)
    fill(store, 500, name="other", first=JOBS)
    known = Operations(store)
    first = worker("-q", "critical", "-c", "1").ready()
    operation = known.start("move", DeadSet(), Filter(name=JOB), to="elsewhere", by="ada", total=JOBS)
    retry = known.start("retry", DeadSet(), Filter(name=JOB))
    half = wait_for(lambda: (now := known.find(retry.id)).done > 1_000 and now, 30)
    first.kill()
    assert not half.has_ended
    second = worker("-q", "critical", "-c", "1").ready()
    ended = wait_for(lambda: (now := known.find(retry.id)).has_ended and now, 60)
    wait_for(lambda: known.find(operation.id).has_ended, 60)
    assert (ended.state, ended.done, ended.gone) == ("done", JOBS, 0)
    assert second.process.poll() is None
    jobs = [json.loads(raw) for queue in ("default", "elsewhere") for raw in store.queues.page(queue, 0, 2 * JOBS)]
    assert sorted(job["args"][0] for job in jobs) == list(range(JOBS))
    assert DeadSet().size == 500
    assert known.open() == []


def test_jobs_run_while_it_goes_on_and_each_once(worker, store, tmp_path):
    fill(store, 3_000)
    operation = Operations(store).start("retry", DeadSet())
    worker("-c", "5").ready()
    worker("-c", "5").ready()
    wait_for(lambda: effects(tmp_path).total() == 3_000, 60)
    assert Operations(store).find(operation.id).done == 3_000
    assert set(effects(tmp_path).values()) == {1}
    assert (DeadSet().size, RetrySet().size) == (0, 0)
