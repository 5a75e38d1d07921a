"""The promise, on a small scale; `make kills` is the large one."""

import random

import pytest

from tests.acceptance.kill_run import run

pytestmark = pytest.mark.acceptance


def test_no_job_is_lost_when_workers_are_killed(server_url, store, tmp_path):
    seed = random.randrange(10**6)
    result = run(server_url, store, tmp_path, jobs=1500, kills=6, seed=seed, work=0.03)
    assert result.holds, f"seed {seed}: {result}"
    assert result.kills >= 3
