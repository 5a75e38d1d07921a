"""What a process says of itself, and what it is told."""

import asyncio
import json
import os
import threading

import pytest

from kiq_django import clock, signals
from kiq_django.worker import heartbeat as heartbeats
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.os_signals import SignalPipe
from tests import faults
from tests.support import wait_for


def test_a_signal_that_nobody_knows_is_passed_over():
    SignalPipe().tell("NONSENSE")


@pytest.fixture
def stay(declare, gate):
    """A job that runs until the gate opens; the semaphore counts its starts."""
    begun = threading.Semaphore(0)

    def stay(*args):
        begun.release()
        gate.wait()

    declare(stay)
    return begun


def process(store, launcher):
    """What Redis holds of a worker, once it has beaten."""
    [found] = wait_for(lambda: store.processes.read([launcher.config.identity]))
    return found


# --- fields ---


def test_the_fields_of_a_process(start, store):
    before = clock.now()
    launcher = start(concurrency=3)
    fields = process(store, launcher).fields
    assert set(fields) == {"info", "concurrency", "busy", "beat", "rtt_us", "quiet", "rss"}
    assert (fields["concurrency"], fields["busy"], fields["quiet"]) == ("3", "0", "false")
    assert before <= float(fields["beat"]) <= clock.now()
    assert 0 < int(fields["rtt_us"]) < 5_000_000
    assert 10_000 < int(fields["rss"]) < 10_000_000  # kB
    assert 0 < store.link.call("TTL", store.keys.process(launcher.config.identity)) <= 60


def test_the_info_of_a_process(start, store):
    capsules = [
        CapsuleConfig(queues={"default": 3, "mail": 1}, concurrency=2),
        CapsuleConfig(name="strict", queues={"a": 0, "b": 0}, concurrency=1),
        CapsuleConfig(name="even", queues={"a": 1, "c": 1}, concurrency=4),
    ]
    launcher = start(capsules=capsules, tag="shop", labels=["eu", "big"])
    info = json.loads(process(store, launcher).fields["info"])
    started_at, version = info.pop("started_at"), info.pop("version")
    assert isinstance(started_at, float)
    assert started_at == launcher.config.started_at
    assert version.startswith("kiq_django ")
    hostname, pid, nonce = launcher.config.identity.rsplit(":", 2)
    assert (int(pid), len(nonce)) == (os.getpid(), 12)
    assert info == {
        "hostname": hostname,
        "pid": os.getpid(),
        "tag": "shop",
        "concurrency": 7,
        "queues": ["default", "mail", "a", "b", "c"],
        "weights": [{"default": 3, "mail": 1}, {"a": 0, "b": 0}, {"a": 1, "c": 1}],
        "capsules": {
            "default": {"concurrency": 2, "mode": "weighted", "weights": {"default": 3, "mail": 1}},
            "strict": {"concurrency": 1, "mode": "strict", "weights": {"a": 0, "b": 0}},
            "even": {"concurrency": 4, "mode": "random", "weights": {"a": 1, "c": 1}},
        },
        "labels": ["eu", "big"],
        "identity": launcher.config.identity,
        "embedded": False,
    }


def test_the_name_of_a_dyno_takes_the_place_of_the_host(start, store, monkeypatch):
    monkeypatch.setenv("DYNO", "web.1")
    launcher = start()
    assert json.loads(process(store, launcher).fields["info"])["hostname"] == "web.1"
    assert launcher.config.identity.startswith("web.1:")


# --- work ---


def test_what_runs_is_shown_under_both_names(start, store, push, stay):
    raws = [push("stay", number) for number in range(2)]
    before = int(clock.now())
    launcher = start(concurrency=3)
    found = wait_for(lambda: len(process(store, launcher).work) == 2 and process(store, launcher))
    assert found.fields["busy"] == "2"
    entries = [json.loads(entry) for entry in found.work.values()]
    assert sorted(entry["payload"] for entry in entries) == sorted(raw.decode() for raw in raws)
    for entry in entries:
        assert set(entry) == {"queue", "payload", "run_at"}
        assert entry["queue"] == "default"
        assert type(entry["run_at"]) is int
        assert before <= entry["run_at"] <= clock.now()
    workers = store.link.client.hgetall(store.keys.workers(launcher.config.identity))
    assert sorted(workers.values()) == sorted(found.work.values())
    assert len(set(found.work)) == 2


def test_what_has_ended_is_no_longer_shown(start, store, push, stay, gate):
    push("stay")
    launcher = start()
    wait_for(lambda: process(store, launcher).work)
    gate.set()
    wait_for(lambda: not process(store, launcher).work)
    wait_for(lambda: process(store, launcher).fields["busy"] == "0")


def test_async_jobs_are_shown_too(start, store, push, declare, gate):
    async def hold():
        await asyncio.to_thread(gate.wait)

    declare(hold)
    push("hold")
    push("hold")
    launcher = start(concurrency=1)
    found = wait_for(lambda: len(process(store, launcher).work) == 2 and process(store, launcher))
    assert found.fields["busy"] == "2"


# --- being told ---


def test_signals_are_passed_on_one_a_beat(start, store):
    told = []
    launcher = start(told=told.append)
    for signal in ("TSTP", "TTIN", "TERM"):
        store.processes.signal([launcher.config.identity], signal)
    wait_for(lambda: len(told) == 3)
    assert told == ["TSTP", "TTIN", "TERM"]


def test_quiet_shows_at_once(start, store):
    launcher = start(heartbeat=5)
    assert process(store, launcher).fields["quiet"] == "false"
    launcher.quiet()
    wait_for(lambda: process(store, launcher).fields["quiet"] == "true", timeout=2)


# --- life and death ---


def test_each_beat_is_told(start):
    beats = []

    def note(worker, **_):
        beats.append(worker)

    signals.worker_heartbeat.connect(note)
    try:
        launcher = start(heartbeat=0.02)
        wait_for(lambda: len(beats) >= 3)
        assert beats[0] is launcher
    finally:
        signals.worker_heartbeat.disconnect(note)


def test_a_pruned_process_comes_back_with_its_next_beat(start, store):
    launcher = start()
    process(store, launcher)
    store.link.call("SREM", store.keys.processes(), launcher.config.identity)
    wait_for(lambda: store.processes.identities() == [launcher.config.identity])


def test_who_stops_is_off_the_list_at_once(start, store):
    launcher = start()
    process(store, launcher)
    launcher.stop(5)
    assert store.processes.identities() == []
    assert store.processes.read([launcher.config.identity]) == []


def test_a_beat_that_is_late_leaves_nobody_on_the_list(start, store, monkeypatch):
    """It was about to be sent when the worker stopped, and is sent after the goodbye."""
    launcher = start()
    process(store, launcher)
    reached, over = threading.Event(), threading.Event()
    round_trip = launcher.heartbeat._round_trip

    def late():
        reached.set()
        assert over.wait(10)
        return round_trip()

    monkeypatch.setattr(launcher.heartbeat, "_round_trip", late)
    launcher.heartbeat.wake()
    assert reached.wait(10)
    launcher.stop(5)
    over.set()
    assert launcher.heartbeat.join(10)
    assert store.processes.identities() == []


def test_a_full_redis_keeps_nobody_from_beating(start, store):
    launcher = start()
    process(store, launcher)
    with faults.full(store.link.client, drains=True):
        store.link.call("DEL", store.keys.process(launcher.config.identity))
        assert process(store, launcher)
        [(owner, lease)] = store.working.owners("default").items()
        wait_for(lambda: store.working.owners("default")[owner] > lease)


def test_a_slow_redis_is_worth_a_warning(start, store, monkeypatch, caplog):
    monkeypatch.setattr(heartbeats, "SLOW_ROUND_TRIP", 0)
    start(heartbeat=0.02)
    wait_for(lambda: "Redis answers slowly" in caplog.text)
    assert caplog.text.count("Redis answers slowly") == 1


# --- totals ---


def test_totals_reach_redis_with_the_beat(start, store, declare, push, done):
    def fail():
        raise ValueError

    declare(fail)
    declare(done.append, name="note")
    for number in range(7):
        push("note", number)
    for _ in range(3):
        push("fail", retry=3)
    start()
    wait_for(lambda: store.counters.totals() == (10, 3))


def test_what_was_not_counted_yet_is_counted_at_the_end(start, store, declare, push, done):
    declare(done.append, name="note")
    launcher = start(heartbeat=60)
    process(store, launcher)
    push("note", 1)
    wait_for(lambda: done)
    assert launcher.stop(5)
    assert store.counters.totals() == (1, 0)


def test_what_a_full_redis_did_not_count_is_counted_later(start, store, declare, push, done):
    declare(done.append, name="note")
    for number in range(5):
        push("note", number)
    with faults.full(store.link.client, drains=True):
        launcher = start()
        wait_for(lambda: len(done) == 5)
        beats = launcher.heartbeat.ticks
        wait_for(lambda: launcher.heartbeat.ticks > beats + 1)
        assert store.counters.totals() == (0, 0)
    wait_for(lambda: store.counters.totals() == (5, 0))
