"""A worker inside of a web server: real gunicorn, real jobs."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from kiq_django import conf, embedded
from tests.acceptance.process import ROOT, effects
from tests.acceptance.test_processes import listed
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


class Gunicorn:
    """Two workers of a class, on a free port."""

    def __init__(self, url, directory, port, *options, **environment):
        self.port = port
        self.log = directory / "gunicorn.log"
        conf_file = directory / "gunicorn.conf.py"
        conf_file.write_text("from kiq_django.contrib.gunicorn import post_worker_init, worker_exit\n")
        command = [sys.executable, "-m", "gunicorn", "-c", str(conf_file), "-w", "2", "-b", f"127.0.0.1:{port}"]
        command += ["--graceful-timeout", "5", "--no-control-socket", *options, "tests.acceptance.web"]
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings",
            "KIQ_TEST_URL": url,
            "KIQ_TEST_DIRECTORY": str(directory),
            **environment,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    @property
    def output(self):
        return self.log.read_text(errors="replace")

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return int(answer.read())
        except OSError:
            return 0


@pytest.fixture
def gunicorn(store, server_url, tmp_path, unused_port):
    started = []

    def start(*options, **environment):
        started.append(Gunicorn(server_url, tmp_path, unused_port, *options, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.terminate()
        each.process.wait(20)


@pytest.mark.parametrize(
    "options",
    [["-k", "sync"], ["-k", "gthread", "--threads", "4", "--preload"], ["-k", "sync", "--preload"]],
    ids=" ".join,
)
def test_each_worker_of_gunicorn_runs_jobs(gunicorn, push, store, tmp_path, options):
    server = gunicorn(*options)
    found = wait_for(lambda: len(found := listed(store)) == 2 and found, 20, server.log)
    assert {json.loads(each.fields["info"])["embedded"] for each in found.values()} == {True}
    assert {each.fields["concurrency"] for each in found.values()} == {"2"}
    for number in range(4):
        push("begin", number, 1.2)
    wait_for(lambda: effects(tmp_path).total() == 4)
    assert server.answers() in found
    wait_for(lambda: effects(tmp_path).total() == 8)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert store.processes.identities() == []


def test_what_does_not_end_in_time_goes_back(gunicorn, push, store, tmp_path):
    server = gunicorn("--graceful-timeout", "1")
    push("begin", 1, 30)
    wait_for(lambda: effects(tmp_path).total() == 1, 20, server.log)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert store.queues.sizes(["default"]) == {"default": 1}


def test_a_worker_that_is_replaced_loses_nothing(gunicorn, push, store, tmp_path):
    server = gunicorn("-k", "gthread")
    first = set(wait_for(lambda: len(found := listed(store)) == 2 and found, 20, server.log))
    for number in range(8):
        push("begin", number, 0.5)
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(set(listed(store)) - first) == 2, 20)
    wait_for(lambda: sum(effects(tmp_path)[f"end {number}"] for number in range(8)) == 8, 20)
    assert set(effects(tmp_path).values()) == {1}
    wait_for(lambda: not first & set(listed(store)))


def test_it_can_be_turned_off_and_refuses_event_loops(gunicorn, store):
    server = gunicorn("-k", "gthread", KIQ_EMBEDDED_CONCURRENCY="0")
    wait_for(server.answers, 20)
    assert listed(store) == {}
    assert "kiq_django" not in server.output


@pytest.fixture
def here(store, where, settings):
    settings.KIQ = {**where, "ADAPTER": "redis", "FEATURES": [], "WORKER": {"heartbeat": 0.2}}
    yield
    embedded.stop(1)
    conf.reset()


@pytest.mark.usefixtures("here")
def test_there_are_never_two_in_a_process_and_no_signal_is_taken(store):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    threads = set(threading.enumerate())
    assert not embedded.stop()
    assert embedded.start(queues=["default"], concurrency=3)
    assert not embedded.start()
    wait_for(lambda: len(listed(store)) == 1)
    [process] = listed(store).values()
    assert process.fields["concurrency"] == "3"
    store.processes.signal([process.identity], "TERM")
    wait_for(lambda: store.link.call("LLEN", store.keys.signals(process.identity)) == 0)
    assert embedded.is_running()
    assert {number: signal.getsignal(number) for number in before} == before
    assert embedded.stop(5)
    assert listed(store) == {}
    wait_for(lambda: set(threading.enumerate()) <= threads)


@pytest.mark.usefixtures("here")
def test_a_fork_has_no_worker(store):
    assert embedded.start(queues=["default"])
    running = embedded._running
    wait_for(lambda: len(listed(store)) == 1)
    embedded._after_fork_in_child()  # what happens in the child
    assert not embedded.is_running()
    assert running.stop(5)


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_is_left_of_one_that_was_stopped(store):
    def cycle():
        assert embedded.start(queues=["default"])
        wait_for(lambda: len(listed(store)) == 1)
        assert embedded.stop(5)
        conf.reset()
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    before = cycle()
    assert [cycle() - before for _ in range(3)] == [0, 0, 0]
