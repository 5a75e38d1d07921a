"""A small part of the acceptance suite on a real cluster, and over partitions; `make fleet` runs nearly all of it."""

import os
import subprocess
import sys

import pytest

from tests.acceptance.process import ROOT

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]
PARTS = {
    "masters": [
        "test_worker.py::test_runs_sync_and_async_jobs_and_stops_gracefully",
        "test_worker.py::test_jobs_of_a_killed_worker_come_back",
    ],
    "partitions": ["test_worker.py::test_stop_pushes_back_what_does_not_end_in_time_to_the_front"],
}


@pytest.mark.parametrize("layout", PARTS)
def test_a_part_of_the_acceptance_suite(layout):
    if os.environ.get("KIQ_TEST_LAYOUT"):
        pytest.skip("the whole run is in a layout already")
    tests = [f"tests/acceptance/{each}" for each in PARTS[layout]]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *tests]
    own = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        command, cwd=ROOT, env={**own, "KIQ_TEST_LAYOUT": layout}, capture_output=True, text=True, timeout=110
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(PARTS[layout])} passed" in run.stdout
