"""A worker is killed at each step of the protocol: every job runs all the same, and what runs twice was in flight."""

import os
import signal
from collections import Counter

import pytest

from kiq_django import clock, payload
from kiq_django.exceptions import MalformedPayload
from kiq_django.store.queues import Entry
from kiq_django.worker.reaper import Reaper
from tests.acceptance.process import effects
from tests.chaos.app.crash import KILLED, LAST_STEPS, STEPS
from tests.chaos.look import held, left
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

TIMES = int(os.environ.get("KIQ_CHAOS_TIMES", "1"))
QUEUE = "default"
WORKER = {"heartbeat": 0.2, "lease": 30, "poll_interval": 0.1}
TOUCHED = range(10)
LATER = range(100, 103)
ORPHANS = range(200, 203)
SUSPECTS = range(300, 302)
FAILING = range(2)
UNREADABLE = [b"{on the queue", b'["a list"]', b"{on the schedule"]


def encoded(name, number, queue=QUEUE):
    module = "tests.chaos.app.jobs" if name == "hold" else "tests.acceptance.app.jobs"
    made = payload.Payload.new(f"{module}.{name}", [number], {}, queue=queue, retry=True, now=1.5)
    return made.encode()


def label(raw):
    """What a job writes when it runs."""
    try:
        job = payload.Payload.decode(raw)
    except MalformedPayload:
        return ""
    return f"{job.name.rpartition('.')[2]} {job.args[0]}"


@pytest.fixture
def expected(store, tmp_path):
    """Something for every step to do. Returns how often each job is to run."""
    orphans = [encoded("touch", number) for number in ORPHANS]
    store.queues.push([Entry(QUEUE, raw) for raw in orphans])
    store.working.register("gone:1:a", [QUEUE], 0)
    assert len(store.working.turn([], "gone:1:a", [QUEUE], 99).taken) == len(orphans)
    suspicious(store)
    store.queues.push([Entry(QUEUE, encoded("touch", number)) for number in TOUCHED])
    store.queues.push([Entry(QUEUE, encoded("fail", number)) for number in FAILING])
    store.queues.push([Entry(QUEUE, encoded("touch", number), clock.now() + 1) for number in LATER])
    first, second, scheduled = UNREADABLE
    store.queues.push([Entry(QUEUE, first), Entry(QUEUE, second), Entry(QUEUE, scheduled, 1.0)])
    touched = {f"touch {number}": 1 for number in (*TOUCHED, *LATER, *ORPHANS, *SUSPECTS)}
    return Counter({**touched, **{f"fail {number}": 2 for number in FAILING}})


def suspicious(store):
    """Jobs in the hands of a dead worker for the second time, on a queue that the doomed does not serve."""
    raws = [encoded("touch", number, "critical") for number in SUSPECTS]
    store.queues.push([Entry("critical", raw) for raw in raws])
    store.working.register("gone:1:b", ["critical"], 0)
    assert len(store.working.turn([], "gone:1:b", ["critical"], 99).taken) == len(raws)
    for raw in raws:
        store.link.call("SET", store.keys.recovered("critical", payload.Payload.decode(raw).jid), 1, "EX", 99)


@pytest.fixture
def doomed(store, server_url, tmp_path, nursery):
    """Start a worker that dies at a step, and see it die."""
    started = []

    def died(step):
        options = ("-q", QUEUE, "-c", "2", "-t", "0.1", "-v", "0")
        dying = {"KIQ_CHAOS_CRASH": step}
        process = nursery.worker(server_url, tmp_path, *options, kiq={"WORKER": WORKER}, environment=dying)
        started.append(process)
        if step in LAST_STEPS:
            wait_for(lambda: effects(tmp_path)["hold 1"], 20)
            process.send(signal.SIGTERM)
        assert process.wait() == KILLED, process.output
        wait_for(lambda: not any(name == "kiq:fetch" for name in clients(store)), what="the server to notice")

    yield died
    for process in started:
        process.kill()  # one that did not die shall not trouble the next


def clients(store):
    return [each["name"] for each in store.link.client.client_list()]


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_loses_nothing(step, time, expected, doomed, survivor, store, tmp_path):
    if step in LAST_STEPS:
        store.queues.push([Entry(QUEUE, encoded("hold", 1))])
        expected.update({"hold 1": 2, "held 1": 1})  # pushed back at the deadline
    doomed(step)
    in_flight = Counter(map(label, held(store)))
    for owner, lease in store.working.owners(QUEUE).items():
        if lease >= 0:
            Reaper(store, 5, 30).reap(QUEUE, owner, force=True)
    (tmp_path / "go").touch()
    survivor()
    wait_for(lambda: not left(store), 30, "all work to be done")
    seen = effects(tmp_path)
    assert expected - seen == Counter(), "lost"
    assert seen - expected <= in_flight, "ran twice, and was not in flight"
    dead = [raw for raw, _ in store.sets.page("dead", 0, 99)]
    assert sorted(filter(None, map(label, dead))) == [f"fail {number}" for number in FAILING]
    assert set(UNREADABLE) <= set(dead)
    assert len(dead) == len(UNREADABLE) + len(FAILING)
