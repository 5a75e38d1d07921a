"""Several capsules and processes at the same queues: nobody holds what another could run."""

import statistics
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from kiq_django import clock
from kiq_django.worker import custody
from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.fetcher import Fetcher
from tests.support import wait_for
from tests.worker.conftest import encoded

TOO_LONG = 0.1
"""Seconds that a job may wait in the memory of one process while another is idle: 0.02 where nothing else runs.

A busy machine needs longer for each step. Jobs that are held on purpose wait 0.15 and more.
"""


@pytest.fixture
def pushed_all(store):
    """Push many jobs of one name at once."""

    def push_all(name, numbers, queue="default"):
        raws = [encoded(name, number, queue=queue) for number in numbers]
        store.link.send([("LPUSH", store.keys.queue(queue), *raws)])

    return push_all


@pytest.fixture
def run_log(declare):
    """Jobs of a given length, and who ran them when."""
    log = []
    pause = threading.Event()

    def work(number, seconds=0.0):
        log.append((time.monotonic(), threading.current_thread(), number))
        if seconds:
            pause.wait(seconds)

    declare(work)
    declare(lambda number: work(number, 0.002), name="quick")
    declare(lambda number: work(number, 0.15), name="slow")
    return log


# --- processes ---


def test_slow_jobs_that_come_after_quick_ones_wait_nowhere(start, store, run_log, pushed_all):
    """Quick jobs make fetchers fetch ahead; what they then hold of slow ones goes to whoever is idle."""
    for _ in range(2):
        start(concurrency=2)
    waits = []
    for number in range(7):
        pushed_all("work", range(400))
        wait_for(lambda number=number: len(run_log) == 404 * number + 400)
        came = time.monotonic()
        pushed_all("slow", range(4))
        wait_for(lambda number=number: len(run_log) == 404 * (number + 1))
        waits.append(max(at - came for at, _, _ in run_log[-4:]))
    assert statistics.median(waits) < TOO_LONG


@pytest.mark.parametrize("rate", [200, 6_000, 100_000])
def test_what_no_thread_begins_is_back_on_its_queue_within_20_ms(store, pushed_all, waiting, monkeypatch, rate):
    """By a clock that only the loop's own waits move, so that a busy machine shows the same.

    Jobs were so quick that many are fetched ahead; then one never ends.
    """
    passed = [1000.0]

    def wait(*args, seconds=0.0, **options):
        passed[0] += next((arg for arg in reversed(args) if isinstance(arg, float)), seconds)
        return False

    monkeypatch.setattr(clock, "monotonic", lambda: passed[0])
    buffer, capsule = Buffer(), CapsuleConfig(queues={"default": 0}, concurrency=1)
    fetcher = Fetcher(capsule, "test", store, buffer, lease=30, audit_every=5)
    monkeypatch.setattr(buffer, "sleep_until_low", wait)
    monkeypatch.setattr(custody, "time", SimpleNamespace(sleep=wait))
    monkeypatch.setattr(fetcher._watch, "sleep", wait)
    jobs = fetcher._custody
    jobs._pace.rate, jobs._pace._since, jobs.finished_at = rate, passed[0], passed[0]
    pushed_all("slow", range(600))
    fetcher._round()
    running, came = buffer.take(Seat()), passed[0]
    ahead = len(buffer)
    assert ahead == min(500, rate // 200)
    while len(waiting()) < 599:
        fetcher._round()
        assert passed[0] - came < 0.020
    assert waiting() == list(range(1, 600))
    fetcher.finish(running)
    fetcher.stop()
    fetcher._round()
    fetcher._ownership.retire()
    fetcher._watch.close()


@pytest.mark.parametrize(("rate", "waits"), [(500, True), (20_000, False)])
def test_a_half_busy_worker_waits_for_the_next_job(store, pushed_all, monkeypatch, rate, waits):
    """It comes in by itself. Only where many jobs end in a millisecond it is looked for as often, which costs less."""
    buffer, capsule = Buffer(), CapsuleConfig(queues={"default": 0}, concurrency=2)
    fetcher = Fetcher(capsule, "test", store, buffer, lease=30, audit_every=5)
    monkeypatch.setattr(fetcher._watch, "sleep", lambda seconds: True)
    monkeypatch.setattr(custody.Pace, "note", lambda pace, finished, now: None)
    monkeypatch.setattr(custody.Pace, "forget", lambda pace: None)
    fetcher._custody._pace.rate = rate
    pushed_all("slow", [1])
    for _ in range(3):
        fetcher._round()
    running = buffer.take(Seat())
    assert fetcher._watch.is_waiting is waits
    fetcher.finish(running)
    fetcher.stop()
    while not fetcher._is_over():
        fetcher._round()
    fetcher._ownership.retire()
    fetcher._watch.close()


def test_mixed_jobs_keep_all_threads_at_work(start, store, run_log, pushed_all):
    """40 slow jobs among 400 quick ones on 4 threads take about as long as the threads need for them."""
    names = ["slow" if number % 11 == 0 else "quick" for number in range(440)]
    raws = [encoded(name, number) for number, name in enumerate(names)]
    store.link.send([("LPUSH", store.keys.queue("default"), *raws)])
    began = time.monotonic()
    for _ in range(2):
        start(concurrency=2)
    wait_for(lambda: len(run_log) == 440)
    ideal = (40 * 0.15 + 400 * 0.002) / 4
    assert max(at for at, _, _ in run_log) - began < 2 * ideal
    assert Counter(number for _, _, number in run_log) == dict.fromkeys(range(440), 1)


def test_both_get_something(start, run_log, pushed_all):
    for _ in range(2):
        start(concurrency=1)
    pushed_all("quick", range(100))
    wait_for(lambda: len(run_log) == 100)
    assert min(Counter(thread for _, thread, _ in run_log).values()) > 20


def test_idle_workers_start_a_job_at_once(start, store, run_log, pushed_all):
    start({f"queue{number}": 0 for number in range(8)}, concurrency=1)
    wait_for(lambda: store.link.client.info("clients")["blocked_clients"] == 8)
    waits = []
    for number in range(50):
        came = time.monotonic()
        pushed_all("work", [number], queue=f"queue{number % 8}")
        wait_for(lambda number=number: len(run_log) == number + 1)
        waits.append(run_log[-1][0] - came)
    assert statistics.median(waits) < 0.005


# --- capsules ---


def test_a_capsule_that_is_full_keeps_no_other_waiting(start, run_log, declare, gate, pushed_all):
    declare(lambda number: gate.wait(), name="stay")
    capsules = [
        CapsuleConfig(name="a", queues={"one": 0}, concurrency=1),
        CapsuleConfig(name="b", queues={"two": 0}, concurrency=2),
    ]
    pushed_all("stay", range(5), queue="one")
    pushed_all("work", range(5), queue="two")
    start(capsules=capsules)
    wait_for(lambda: len(run_log) == 5)
    assert {thread.name for _, thread, _ in run_log} <= {"kiq-b-0", "kiq-b-1"}


def test_each_capsule_has_its_own_number_of_threads(start, store, declare, gate, pushed_all):
    running, most = Counter(), Counter()

    def stay(number):
        capsule = threading.current_thread().name.split("-")[1]
        running[capsule] += 1
        most[capsule] = max(most[capsule], running[capsule])
        gate.wait(0.01)
        running[capsule] -= 1

    declare(stay)
    capsules = [
        CapsuleConfig(name="a", queues={"one": 0}, concurrency=1),
        CapsuleConfig(name="b", queues={"two": 0}, concurrency=3),
    ]
    for queue in ("one", "two"):
        pushed_all("stay", range(20), queue=queue)
    launcher = start(capsules=capsules)
    wait_for(lambda: sum(manager.fetcher.settler.processed for manager in launcher.managers) == 40)
    assert most == {"a": 1, "b": 3}


def test_two_capsules_may_serve_one_queue(start, run_log, pushed_all):
    capsules = [CapsuleConfig(name=name, queues={"default": 0}, concurrency=1) for name in ("a", "b")]
    pushed_all("quick", range(60))
    start(capsules=capsules)
    wait_for(lambda: len(run_log) == 60)
    assert {thread.name for _, thread, _ in run_log} == {"kiq-a-0", "kiq-b-0"}


# --- order ---


def test_strict_order_empties_the_first_queue_first(start, run_log, pushed_all):
    pushed_all("quick", range(100, 130), queue="low")
    pushed_all("quick", range(30), queue="high")
    start({"high": 0, "low": 0}, concurrency=1)
    wait_for(lambda: len(run_log) == 60)
    assert [number for _, _, number in run_log] == [*range(30), *range(100, 130)]


def test_weights_share_the_time(start, run_log, pushed_all):
    for start_at, queue in ((0, "often"), (1000, "seldom")):
        pushed_all("quick", range(start_at, start_at + 300), queue=queue)
    start({"often": 3, "seldom": 1}, concurrency=1)
    wait_for(lambda: len(run_log) >= 200)
    assert 0.6 < sum(number < 1000 for _, _, number in run_log[:200]) / 200 < 0.9


# --- pause ---


def test_a_pause_holds_an_idle_worker_too(start, store, run_log, pushed_all, waiting):
    start({"default": 0, "other": 0}, heartbeat=5)
    wait_for(lambda: store.link.client.info("clients")["blocked_clients"] == 2)
    store.queues.pause("default", {})
    pushed_all("work", [1])
    pushed_all("work", [2], queue="other")
    wait_for(lambda: [number for _, _, number in run_log] == [2])
    wait_for(lambda: waiting() == [1])
    pushed_all("work", [3])
    pushed_all("work", [4], queue="other")
    wait_for(lambda: [number for _, _, number in run_log] == [2, 4])
    assert waiting() == [1, 3]
    store.queues.resume("default")
    wait_for(lambda: sorted(number for _, _, number in run_log) == [1, 2, 3, 4], timeout=3)
