"""Real worker processes over a cluster, and over several servers: some are killed, and nothing is lost."""

import time

import pytest

from kiq_django import store as stores
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from tests.acceptance.process import effects, workers
from tests.fleet.conftest import kiq
from tests.support import wait_for

JOB = "tests.acceptance.app.jobs.touch"
JOBS, KILLS = 300, 2
WORKER = {"poll_interval": 0.2, "heartbeat": 0.4, "lease": 2}
FILE = 'queues = ["default"]\nconcurrency = 3\n[capsules.mails]\nqueues = ["mail"]\nconcurrency = 2\n'
HELD = 20
"""Jobs that a worker may hold when it is killed: those that run, and what it fetched ahead, in each capsule."""

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


@pytest.fixture(params=["cluster", "several"])
def where(request, server_url, tmp_path):
    given = {"cluster": "", "several": ""}
    if request.param == "cluster":
        cluster = request.getfixturevalue("cluster")
        cluster.flush()
        given["cluster"] = cluster.url
    if request.param == "several":
        given["several"] = request.getfixturevalue("second_url")
    found = kiq(request.param, server_url, given["cluster"], given["several"])
    return {"QUEUES": {"default": 1, "mail": 1}, **found}


def push(store) -> None:
    made = [
        Entry(queue, Payload.new(JOB, [n, 0.003], {}, queue=queue, retry=True, now=time.time()).encode())
        for n in range(JOBS)
        for queue in [("default", "mail")[n % 2]]
    ]
    store.queues.push(made)


def test_nothing_is_lost(where, settings, server_url, tmp_path):
    settings.KIQ = {**settings.KIQ, **where, "ADAPTER": "redis"}
    store = stores.get()
    for each in store.servers():
        if each.target.kind != "cluster":
            each.link.call("FLUSHALL")
    push(store)
    own = {**where, "WORKER": WORKER}
    file = tmp_path / "worker.toml"
    file.write_text(FILE)
    with workers(server_url, tmp_path) as start:
        running = [start("-C", str(file), kiq=own).ready() for _ in range(2)]
        for number in range(KILLS):
            wait_for(lambda number=number: len(effects(tmp_path)) > (number + 1) * JOBS // 6, 30, "some jobs to run")
            running.pop(0).kill()
            running.append(start("-C", str(file), kiq=own).ready())
        wait_for(lambda: len(effects(tmp_path)) == JOBS, 60, "all jobs to run")
        wait_for(lambda: sum(store.queues.sizes(["default", "mail"]).values()) == 0, 10, "empty queues")
    seen = effects(tmp_path)
    assert seen.total() - len(seen) <= 2 * KILLS * HELD
    assert [store.sets.count(name) for name in ("retry", "dead", "schedule")] == [0, 0, 0]
