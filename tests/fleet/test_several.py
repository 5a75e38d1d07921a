"""Queues on servers of their own, behind one API."""

import pytest

from kiq_django import store as stores
from kiq_django.api import ProcessSet, Queue, Stats
from kiq_django.exceptions import ConfigurationError
from kiq_django.payload import Payload
from kiq_django.store import Store, connections
from kiq_django.store.queues import Entry
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.os_signals import SignalPipe
from kiq_django.worker.runner import Runner
from tests.support import wait_for


@pytest.fixture
def store(several):
    return several


@pytest.fixture
def second(store, second_url, settings) -> Store:
    """The second server as a plain store."""
    return Store(connections.target(second_url), "", stores.conf.get().limits)


def push(store, queue: str, *numbers: int) -> None:
    made = [Payload.new("note", [number], {}, queue=queue, retry=True, now=1.0) for number in numbers]
    store.queues.push([Entry(queue, payload.encode()) for payload in made])


def test_each_server_is_a_world_of_its_own(store, second, start, declare, done):
    declare(done.append, name="note")
    push(store, "default", 1, 2)
    push(store, "mail", 3)
    assert (second.queues.names(), second.queues.sizes(["mail"])) == (["mail"], {"mail": 1})
    assert [(each.name, each.size) for each in Queue.summaries()] == [("default", 2), ("mail", 1)]
    capsules = [CapsuleConfig(queues={"default": 0}), CapsuleConfig(name="mail", queues={"mail": 0})]
    launcher = start(capsules=capsules)
    wait_for(lambda: sorted(done) == [1, 2, 3])
    wait_for(lambda: Stats().processed == 3)
    wait_for(lambda: second.counters.totals() == (1, 0))
    (process,) = ProcessSet()
    assert second.processes.identities() == [process.identity]
    assert len(launcher.heartbeats) == len(launcher.reapers) == len(launcher.pollers) == 2


def test_a_process_that_serves_one_server_is_not_listed_at_the_other(store, second, start):
    start({"default": 0})
    wait_for(lambda: store.processes.identities())
    assert second.processes.identities() == []


def test_a_signal_comes_once(store, second, start):
    told = []
    capsules = [CapsuleConfig(queues={"default": 0}), CapsuleConfig(name="mail", queues={"mail": 0})]
    launcher = start(capsules=capsules, told=told.append)
    wait_for(lambda: len(second.processes.identities()) == len(store.processes.identities()) == 1)
    next(iter(ProcessSet())).quiet()
    wait_for(lambda: told)
    beats = [heartbeat.ticks for heartbeat in launcher.heartbeats]
    wait_for(lambda: all(h.ticks > b + 1 for h, b in zip(launcher.heartbeats, beats, strict=True)))
    assert told == ["TSTP"]


def test_one_capsule_serves_one_server(store):
    with pytest.raises(
        ConfigurationError, match=r"cannot serve queues of several servers .*runworker -q mail.*capsule"
    ):
        store.serving({"default": 1, "mail": 1})


def test_every_server_has_to_be_fit_for_jobs(store, second):
    second.link.call("CONFIG", "SET", "maxmemory", "1gb")
    second.link.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    runner = Runner(WorkerConfig(capsules=[]), stores.get, SignalPipe())
    try:
        with pytest.raises(ConfigurationError, match="throws keys away"):
            runner.run()
    finally:
        second.link.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        second.link.call("CONFIG", "SET", "maxmemory", "0")


def test_an_unusable_server_of_a_queue_is_named(settings, server_url):
    settings.KIQ = {**settings.KIQ, "REDIS": server_url, "QUEUES": {"mail": {"redis": "nowhere"}}}
    with pytest.raises(ConfigurationError, match=r"KIQ\['QUEUES'\]\['mail'\]\['redis'\]"):
        stores.get()
