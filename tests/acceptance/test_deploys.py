"""Two releases at the same time: nothing fails, nothing is lost, nothing runs twice."""

import signal
from collections import Counter
from itertools import cycle

import pytest

from tests.acceptance.process import effects
from tests.acceptance.test_processes import listed
from tests.support import wait_for

pytestmark = pytest.mark.acceptance
JOBS = 600


def test_a_rolling_deploy_under_load_fails_and_loses_nothing(worker, push, store, tmp_path):
    """Old workers get jobs that only new code knows, and new ones such as only old code knew by that name."""
    old = [worker("-c", "3").ready() for _ in range(2)]
    pushed: Counter[str] = Counter()

    def load(number, *names):
        for _, name in zip(range(number), cycle(names), strict=False):
            job = pushed.total()
            pushed[f"{'named' if name in ('former', 'renamed') else name} {job}"] += 1
            push(name, job, retry=0)

    load(JOBS // 4, "touch", "former")
    new = [worker("-c", "3", environment={"KIQ_TEST_RELEASE": "2"}).ready()]
    load(JOBS // 4, "touch", "fresh", "renamed", "former")
    old[0].send(signal.SIGTERM)
    new.append(worker("-c", "3", environment={"KIQ_TEST_RELEASE": "2"}).ready())
    load(JOBS // 4, "fresh", "renamed", "former")
    old[1].send(signal.SIGTERM)
    load(JOBS // 4, "touch", "fresh", "renamed", "former")
    wait_for(lambda: effects(tmp_path).total() >= JOBS, 30, store.unroutable.names(["default"]))
    assert [process.wait() for process in old] == [0, 0]
    assert effects(tmp_path) == pushed
    assert any("Parked" in process.output for process in old)
    assert (store.sets.count("retry"), store.sets.count("dead")) == (0, 0)
    wait_for(lambda: store.counters.totals()[0] == JOBS)
    assert store.counters.totals() == (JOBS, 0)
    assert len(listed(store)) == 2


def test_a_parked_job_runs_when_new_code_starts(worker, push, store, tmp_path):
    push("fresh", 1, retry=0)
    process = worker("--processes", "1", "-c", "2").ready()
    wait_for(lambda: store.sets.count("retry"))
    process.wipe_out()
    worker("--processes", "1", environment={"KIQ_TEST_RELEASE": "2"}).ready()
    wait_for(lambda: effects(tmp_path)["fresh 1"])
    assert store.counters.totals()[1] == 0
