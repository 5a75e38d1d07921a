"""One trouble at a time, on real lines, clocks and processes: nothing is lost, and nothing runs twice without need."""

import os
import signal
import threading
import time
from collections import Counter

import pytest

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.exceptions import StoreUnavailable
from kiq_django.payload import Payload
from kiq_django.store import scripts
from kiq_django.store.queues import Entry
from kiq_django.worker.reaper import Reaper
from tests import faults
from tests.acceptance.process import effects
from tests.chaos.look import held, left
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

QUEUE = "default"
LOSSES = int(os.environ.get("KIQ_CHAOS_LOSSES", "9"))
"""Answers that are lost, of each kind."""
GRIP = float(os.environ.get("KIQ_CHAOS_GRIP", "2"))
"""Seconds, at most, for which a job holds the interpreter."""
SLACK = 10
"""Seconds that a busy machine may add."""


def encoded(name, number, *args, **fields):
    module = "tests.acceptance.app.jobs" if name in ("suicide", "touch") else "tests.chaos.app.jobs"
    fields = {"queue": QUEUE, "retry": True, "now": clock.now(), "jid": f"{number:024x}", **fields}
    return Payload.new(f"{module}.{name}", [number, *args], {}, **fields).encode()


@pytest.fixture
def push(store):
    """Push one job."""
    return lambda name, *args, at=None, **fields: store.queues.push([Entry(QUEUE, encoded(name, *args, **fields), at)])


@pytest.fixture
def proxy(store, server_url, settings):
    """Between the server and all stores that are made from now on."""
    between = faults.Proxy(server_url.removeprefix("unix://"))
    settings.KIQ = {**settings.KIQ, "REDIS": between.url}
    yield between
    between.close()


@pytest.fixture
def ran(tmp_path):
    """How often each job began and ended."""
    return lambda: dict(effects(tmp_path))


def once(numbers):
    """Each began once, and ended once."""
    return {f"{what} {number}": 1 for number in numbers for what in ("begin", "end")}


def recoveries(store):
    return store.link.call("KEYS", "kiq:recovered:*")


def is_idle(store):
    """Nothing is left, and a worker waits on both of its queues."""
    return not left(store) and store.link.client.info("clients")["blocked_clients"] == 2


# --- answers that are lost ---


def test_the_answer_to_a_push_is_lost(store, proxy):
    """Whoever pushes hears of it, and the job is there once."""
    pushing = stores.get()
    for number in range(LOSSES):
        proxy.drop_replies(1, to=b"LPUSH")
        with pytest.raises(StoreUnavailable):
            pushing.queues.push([Entry(QUEUE, b"%d" % number)])
    assert proxy.dropped == LOSSES
    assert sorted(map(int, store.queues.page(QUEUE, 0, 10 * LOSSES))) == list(range(LOSSES))


@pytest.mark.parametrize("done", [True, False], ids=["done", "not_done"])
@pytest.mark.parametrize("name", ["reserve", "settle", "BLMOVE", "promote", "due", "lease", "beat", "expired"])
def test_answers_to_a_worker_are_lost(store, proxy, survivor, push, ran, name, done):
    """What it asked for was done, or not: it cannot know. A script that the server has forgotten is not done."""
    needle = name.encode()
    if name != "BLMOVE":
        needle = scripts.load(name, store.link.info().supports_shebang).sha.encode()
    launcher = survivor()
    for number in range(LOSSES):
        wait_for(lambda: is_idle(store), 30, "all work to be done")
        before, beats = proxy.dropped, launcher.heartbeat.ticks
        if not done:
            store.link.client.script_flush()
        if number % 2:
            proxy.drop_replies(1, to=needle)
        push("flaky", 10 * number, 1)
        push("work", 10 * number + 1, 0.01, at=clock.now())
        for each in range(2, 6):
            push("work", 10 * number + each, 0.01)
        if not number % 2:
            proxy.drop_replies(1, to=needle)
        wait_for(lambda before=before: proxy.dropped > before or not left(store), 30, "the loss")
        if name in ("lease", "beat"):
            wait_for(lambda beats=beats: launcher.heartbeat.ticks > beats, 30, "the next beat")
    proxy.drop_replies(0)
    wait_for(lambda: is_idle(store), 30, "all work to be done")
    assert proxy.dropped >= LOSSES // 5
    numbers = [10 * number + each for number in range(LOSSES) for each in range(6)]
    assert ran() == once(numbers) | {f"begin {number}": 2 for number in numbers[::6]}
    assert recoveries(store) == []


# --- workers that are gone, or seem to be ---


@pytest.fixture
def worker(nursery, server_url, tmp_path):
    """Start a worker process; it is killed in the end, if it lives."""
    started = []

    def start(*options, lease=1.5, heartbeat=0.3, **environment):
        kiq = {"WORKER": {"lease": lease, "heartbeat": heartbeat, "poll_interval": 0.1}}
        options = ("-c", "3", "-v", "0", *options)
        started.append(nursery.worker(server_url, tmp_path, *options, kiq=kiq, environment=environment))
        return started[-1].ready()

    yield start
    for each in started:
        each.kill()


def test_the_jobs_of_a_killed_worker_are_back_soon(store, survivor, worker, push, tmp_path):
    sound = survivor(lease=1.5)
    wait_for(lambda: sound.reaper.ticks)
    store.queues.pause(QUEUE, {})
    victim = worker()
    push("hold", 1)
    sound.quiet()
    store.queues.resume(QUEUE)
    wait_for(lambda: effects(tmp_path)["hold 1"])
    victim.kill()
    began = time.monotonic()
    wait_for(lambda: store.queues.sizes([QUEUE])[QUEUE] == 1, 1.5 + 5 + SLACK, "the job to be back")
    print(f"back after {time.monotonic() - began:.1f} s")


def test_a_sleeper_finds_that_its_jobs_were_taken(store, survivor, worker, push, tmp_path):
    """Its end of the job is not stored, and counts nowhere."""
    sleeper = worker()
    push("hold", 1)
    wait_for(lambda: effects(tmp_path)["hold 1"])
    sleeper.send(signal.SIGSTOP)
    sound = survivor(lease=1.5)
    wait_for(lambda: effects(tmp_path)["hold 1"] == 2, 30, "somebody else to begin the job")
    (tmp_path / "go").touch()
    wait_for(lambda: effects(tmp_path)["held 1"] == 1)
    wait_for(lambda: not left(store))
    sleeper.send(signal.SIGCONT)
    wait_for(lambda: effects(tmp_path)["held 1"] == 2)
    sleeper.send(signal.SIGTERM)
    assert sleeper.wait() == 0
    assert sound.stop(5)
    assert left(store) == 0
    assert store.counters.totals() == (1, 0)


def test_clocks_that_differ(store, worker, push, tmp_path, ran):
    """By an hour back, and a day ahead: nobody is taken for dead, and nothing runs before its time."""
    for number in range(200):
        push("work", number, 0.1)
    push("work", 200, 0.0, at=clock.now() + 600)
    workers = [worker(lease=6, KIQ_CHAOS_SKEW=str(skew)) for skew in (-3_600, 0, 86_400)]
    wait_for(lambda: left(store) == 1, 60, "all work to be done")
    for each in workers:
        each.send(signal.SIGTERM)
        assert each.wait() == 0
    assert ran() == once(range(200))
    assert recoveries(store) == []


def test_a_job_that_holds_the_interpreter_is_not_taken_for_dead(store, survivor, worker, push, ran):
    lease = max(6, 1.5 * GRIP)
    sound = survivor(lease=lease)
    store.queues.pause(QUEUE, {})
    worker(lease=lease)
    push("grip", 1, GRIP)
    sound.quiet()
    store.queues.resume(QUEUE)
    wait_for(lambda: "end 1" in ran(), 60)
    wait_for(lambda: not left(store))
    assert ran() == once([1])
    assert recoveries(store) == []


def test_the_innocent_do_not_die_with_a_killer(store, survivor, worker, push, tmp_path):
    push("suicide", 0)
    for number in (1, 2):
        push("work", number, 1.0)
    for _ in range(3):
        victim = worker(lease=30)
        assert victim.wait() == -signal.SIGKILL
        for owner, lease in store.working.owners(QUEUE).items():
            if lease >= 0:
                Reaper(store, 5, 30).reap(QUEUE, owner, force=True)
    survivor()
    wait_for(lambda: not left(store))
    assert [Payload.decode(raw).args[0] for raw, _ in store.sets.page("dead", 0, 9)] == [0]


def test_a_stop_leaves_nothing_on_the_working_list(store, worker, push, tmp_path):
    push("hold", 1)
    push("hold", 2)
    stopping = worker("-t", "0.2", lease=30)
    wait_for(lambda: effects(tmp_path).total() == 2)
    began = time.monotonic()
    stopping.send(signal.SIGTERM)
    assert stopping.wait() == 0
    assert time.monotonic() - began < 0.2 + 2 + SLACK
    assert held(store) == []
    assert [Payload.decode(raw).args[0] for raw in store.queues.page(QUEUE, 0, 9)] == [1, 2]
    assert all(lease < 0 for lease in store.working.owners(QUEUE).values())


# --- a server that refuses and forgets ---


def test_a_full_server_is_drained(store, survivor, push, ran):
    for number in range(100):
        push("work", number, 0.0)
    with faults.full(store.link.client):
        survivor()
        wait_for(lambda: not left(store), 30, "all work to be done")
    assert ran() == once(range(100))


def test_scripts_are_forgotten(store, survivor, push, ran):
    over = threading.Event()

    def forget():
        while not over.wait(0.005):
            store.link.client.script_flush()

    thread = threading.Thread(target=forget, daemon=True)
    thread.start()
    try:
        survivor()
        for number in range(100):
            push("work", number, 0.005)
        wait_for(lambda: not left(store), 30, "all work to be done")
    finally:
        over.set()
        thread.join(5)
    assert ran() == once(range(100))
    assert Counter(ran())
