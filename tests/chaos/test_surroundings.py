"""What a worker and those who enqueue stand on gives way: database, memory, log, processes that fork, signals."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from kiq_django import clock
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from tests import faults
from tests.acceptance.process import ROOT, effects, workers
from tests.chaos.look import held, left
from tests.chaos.verdict import let_live
from tests.outbox.postgres import USER, cluster
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

STOPS = int(os.environ.get("KIQ_CHAOS_STOPS", "4"))
"""Workers that are told to stop, at any moment of their lives."""
QUEUE = "default"
SLACK = 10
"""Seconds that a busy machine may add."""
CHILDREN = 4
REQUESTS = 200


@pytest.fixture
def push(store):
    """Push one of the chaos tests' jobs."""

    def pushed(name, number, *args, **fields):
        fields = {"queue": QUEUE, "retry": True, "now": clock.now(), **fields}
        job = Payload.new(f"tests.chaos.app.jobs.{name}", [number, *args], {}, **fields)
        store.queues.push([Entry(QUEUE, job.encode())])

    return pushed


def finished(worker):
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0, worker.output


# --- the database ---


class Database:
    """A PostgreSQL of this test alone."""

    def __init__(self, socket):
        where = {"ENGINE": "django.db.backends.postgresql", "NAME": USER, "USER": USER, "HOST": str(socket)}
        self.settings = {**where, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
        self.address = {"host": str(socket), "user": USER, "dbname": USER}

    def rows(self, statement):
        with psycopg.connect(**self.address) as connection:
            cursor = connection.execute(statement)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    def crash(self):
        """When a process of the server is killed, it ends all others, and recovers as after a crash."""
        with psycopg.connect(**self.address) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        wait_for(self.answers, 30, "the database to be back")

    def answers(self):
        with contextlib.suppress(psycopg.OperationalError):
            return self.rows("SELECT 1")


@pytest.fixture
def database():
    with cluster() as socket:
        made = Database(socket)
        made.rows("CREATE TABLE saved (number int)")
        yield made


def test_the_database_crashes_under_load(database, store, server_url, push, tmp_path):
    """Jobs that were in the middle fail and come again; those of afterwards find their connection mended."""
    for number in range(200):
        push("save", number, 0.01)
    where = {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "KIQ_CHAOS_DATABASE": json.dumps(database.settings)}
    with workers(server_url, tmp_path) as start:
        worker = start("-c", "4", kiq={"WORKER": {"poll_interval": 0.1}}, environment=where).ready()
        for least in (20, 80):
            wait_for(lambda least=least: database.rows("SELECT count(*) FROM saved")[0] >= least, 30)
            database.crash()
        wait_for(lambda: not left(store), 30, "all jobs to be done")
        assert set(database.rows("SELECT number FROM saved")) == set(range(200))
        database.crash()
        for number in range(200, 220):
            push("save", number, 0.0)
        wait_for(lambda: not left(store), 30, "all jobs to be done")
        seen = effects(tmp_path)
        assert [seen[f"begin {number}"] for number in range(200, 220)] == [1] * 20
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0


# --- memory and disk ---


def test_a_job_that_wants_all_memory_fails_alone(store, server_url, push, nursery, tmp_path):
    worker = nursery.worker(server_url, tmp_path, "-c", "3", "-v", "0").ready()
    for number in range(30):
        push("work" if number else "devour", number, *([0.01] if number else []))
    wait_for(lambda: left(store) == 1 and store.sets.count("retry") == 1, 30, "all others to be done")
    [(raw, _)] = store.sets.page("retry", 0, 9)
    assert Payload.decode(raw).document["error_class"] == "MemoryError"
    assert effects(tmp_path)["begin 0"] == 1
    finished(worker)


def test_a_log_that_takes_nothing_costs_no_job(store, server_url, push, nursery, tmp_path):
    """The disk is full: each line fails, and no job does."""
    worker = nursery.worker(server_url, tmp_path, "-c", "3", environment={"KIQ_CHAOS_STDERR": "/dev/full"}).ready()
    for number in range(30):
        push(("work", "flaky", "die")[number % 3], number, *([0.0], [1], [])[number % 3], retry=number % 3 < 2)
    wait_for(lambda: not left(store), 30, "all jobs to be done")
    assert store.sets.count("dead") + effects(tmp_path).total() == 10 * (2 + 3 + 1)
    finished(worker)
    assert "Error" not in worker.output


# --- processes that fork ---


def test_gunicorn_forks_a_site_that_has_enqueued_already(store, server_url, tmp_path):
    """Each child has connections of its own: every job is there once, and nobody gets another one's answer."""
    path = tmp_path / "web"
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", str(CHILDREN), "-b", f"unix:{path}"]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "KIQ_TEST_URL": server_url,
        "KIQ_TEST_DIRECTORY": str(tmp_path),
    }
    site = subprocess.Popen([*command, "--log-level", "error", "tests.chaos.web"], cwd=ROOT, env=environment)
    try:
        wait_for(path.exists, 20, "the site")
        with ThreadPoolExecutor(2 * CHILDREN) as pool:
            answers = list(pool.map(lambda number: answered(path, number), range(1, REQUESTS)))
        assert answers == list(range(1, REQUESTS))
    finally:
        site.terminate()
        site.wait(20)
    jobs = [Payload.decode(raw) for raw in store.queues.page(QUEUE, 0, 2 * REQUESTS)]
    assert sorted(job.args[0] for job in jobs) == list(range(REQUESTS))
    assert len({job.jid for job in jobs}) == REQUESTS


def answered(path, number):
    """What the site says to a number, which is the number."""
    connection = http.client.HTTPConnection("site")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(20)
    connection.sock.connect(str(path))
    connection.request("GET", f"/{number}")
    answer = connection.getresponse().read()
    connection.close()
    return int(answer)


# --- signals ---


@pytest.mark.timeout(60 + 10 * STOPS)
def test_a_stop_at_any_moment(store, server_url, push, nursery, survivor, tmp_path):
    """Jobs that end in time run once, and nothing is left for a reaper."""
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    count, slowest = 0, 0.0
    for _ in range(STOPS):
        for _ in range(30):
            push("work", count, chance.choice((0.0, 0.002, 0.05)))
            count += 1
        worker = nursery.worker(server_url, tmp_path, "-c", "3", "-t", "2", "-v", "0")
        is_ready = chance.random() < 0.8 and bool(worker.ready())
        faults.last(chance.uniform(0, 0.3))
        began = time.monotonic()
        worker.send(signal.SIGTERM)
        # One that was told before it could listen is ended by the signal itself.
        assert worker.wait() in ((0,) if is_ready else (0, -signal.SIGTERM)), f"seed {seed}\n{worker.output}"
        slowest = max(slowest, time.monotonic() - began)
        assert held(store) == [], f"seed {seed}"
    print(f"{STOPS} stops, the slowest took {slowest:.2f} s")
    assert slowest < 2 + 2 + SLACK, f"seed {seed}"
    survivor()
    wait_for(lambda: not left(store), 30, "all jobs to be done")
    assert dict(effects(tmp_path)) == {f"{what} {n}": 1 for n in range(count) for what in ("begin", "end")}, seed


@pytest.mark.timeout(60 + 10 * STOPS)
def test_a_second_signal_at_any_moment(store, server_url, push, nursery, survivor, tmp_path):
    """Stop, and stop now, or killed: what runs twice was running then."""
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    count = 15 * STOPS
    for number in range(count):
        push("work", number, chance.choice((0.0, 0.01, 0.2)))
    for _ in range(STOPS):
        kiq = {"WORKER": {"lease": 2, "heartbeat": 0.5}}
        worker = nursery.worker(server_url, tmp_path, "-c", "3", "-t", "5", "-v", "0", kiq=kiq).ready()
        faults.last(chance.uniform(0, 0.2))
        for number in (signal.SIGTERM, chance.choice((signal.SIGTERM, signal.SIGKILL))):
            worker.send(number)
            faults.last(chance.uniform(0, 0.05))
        began = time.monotonic()
        assert worker.wait() in (0, -signal.SIGKILL), f"seed {seed}"
        assert time.monotonic() - began < 2 + SLACK, f"seed {seed}"
    survivor(lease=2)
    wait_for(lambda: not left(store), 30 + STOPS, "all jobs to be done")
    while let_live(store):  # what was in flight at three deaths
        wait_for(lambda: not left(store), 30, "all jobs to be done")
    seen = effects(tmp_path)
    assert all(seen[f"end {number}"] for number in range(count)), f"seed {seed}"
    assert seen.total() - 2 * count <= 2 * 3 * STOPS, f"seed {seed}"
