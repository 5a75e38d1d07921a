"""What an operator does with worker processes: probes, several of them, code that changes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.process import ROOT, effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def probe(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_probes_are_answered_while_all_threads_are_busy(worker, push, tmp_path):
    port = free_port()
    push("begin", 1, 30)
    process = worker("-c", "1", "-t", "1", "--health", f"127.0.0.1:{port}").ready()
    wait_for(lambda: effects(tmp_path)["begin 1"])
    assert probe(port, "/live") == (200, {"ok": True, "trouble": {}})
    assert probe(port, "/ready") == (200, {"ok": True, "trouble": {}})
    assert probe(port, "/nowhere")[0] == 404
    process.send(signal.SIGTSTP)
    wait_for(lambda: probe(port, "/ready") == (503, {"ok": False, "trouble": {"default": "quiet"}}))
    assert probe(port, "/live")[0] == 200


@pytest.mark.parametrize("address", ["7433", "localhost:", "127.0.0.1:99999"])
def test_an_address_that_cannot_be_is_bad_configuration(worker, address):
    process = worker("--health", address)
    assert process.wait() == 2
    assert "HOST:PORT" in process.output


def pids(store):
    return {int(identity.split(":")[-2]) for identity in store.processes.identities()}


def test_several_processes_are_replaced_and_stopped_together(worker, push, store, tmp_path):
    parent = worker("--processes", "2", "-c", "1", "-t", "5")
    before = wait_for(lambda: len(pids(store)) == 2 and pids(store))
    assert parent.process.pid not in before
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(pids(store) - before) == 1, 20)
    for number in range(10):
        push("touch", number)
    wait_for(lambda: effects(tmp_path).total() == 10)
    parent.send(signal.SIGTERM)
    assert parent.wait() == 0
    assert pids(store) <= {victim}


def test_processes_that_cannot_work_as_configured_end_with_2(worker):
    parent = worker("--processes", "2", "-r", "no.such.module")
    assert parent.wait() == 2
    assert "no" in parent.output


def test_code_that_changes_is_loaded_and_running_jobs_are_not_lost(store, server_url, tmp_path, push):
    project = tmp_path / "project"
    shutil.copytree(ROOT / "tests" / "acceptance" / "app", project / "shop")
    jobs = project / "shop" / "jobs.py"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "KIQ_TEST_URL": server_url,
        "KIQ_TEST_DIRECTORY": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }
    (project / "shop" / "settings.py").write_text(
        "from tests.acceptance.settings import *\nINSTALLED_APPS = ['kiq_django', 'shop']\n"
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "runworker", "--reload"],
            env=environment, cwd=project, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_for(lambda: "Stop with Ctrl-C" in log.read_text(), 20)
        push("shop.jobs.touch", 1)
        wait_for(lambda: effects(tmp_path)["touch 1"])
        jobs.write_text(jobs.read_text().replace('note(f"touch {number}")', 'note(f"changed {number}")'))
        wait_for(lambda: _touch(jobs) and log.read_text().count("Stop with Ctrl-C") > 1, 30)
        push("shop.jobs.touch", 2)
        wait_for(lambda: effects(tmp_path)["changed 2"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert store.processes.identities() == []
    finally:
        process.kill()
        process.wait()


def _touch(path: Path) -> bool:
    """Make a file look changed, every few seconds anew: who watches may have begun to only after the last time."""
    age = time.time() - path.stat().st_mtime
    if age > 3:
        path.touch()
    return True
