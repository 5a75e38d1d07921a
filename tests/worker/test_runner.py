"""A worker process from its boot checks to its last words; here in a thread of the test."""

import logging
import os
import resource
import signal
import threading

import pytest

from kiq_django import store as stores
from kiq_django.exceptions import ConfigurationError, StoreRefused
from kiq_django.store.server import ServerInfo
from kiq_django.worker import runner as runners
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.os_signals import HANDLED, SignalPipe
from kiq_django.worker.runner import Runner
from tests import faults
from tests.conftest import server_programs
from tests.support import wait_for
from tests.worker.conftest import QUICK


class Running:
    """A runner in a thread, and the pipe through which it is told."""

    def __init__(self, **options):
        capsules = [CapsuleConfig(queues={"default": 0}, concurrency=1)]
        self.pipe = SignalPipe()
        self.going = True
        self.infos = []
        config = WorkerConfig(**{"capsules": capsules, **QUICK, **options})
        self.runner = Runner(config, stores.get, self.pipe, keep_going=lambda: self.going)
        self.code = self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            self.code = self.runner.run(self.infos.append)
        except Exception as error:
            self.error = error

    def start(self):
        self.thread.start()
        return self

    def tell(self, name):
        self.pipe.tell(name)

    @property
    def is_over(self):
        return not self.thread.is_alive()


@pytest.fixture
def running(_settings_of_the_server):
    """Make a runner; told to stop with the test, twice."""
    made = []

    def make(**options):
        made.append(Running(**options))
        return made[-1]

    yield make
    for each in made:
        if each.thread.is_alive():
            each.tell("TERM")
            each.tell("TERM")
            each.thread.join(10)


@pytest.fixture
def _settings_of_the_server(store):
    """The shared server is chosen first; a test may then choose another."""


# --- boot ---


def test_it_waits_for_redis(settings, running, caplog):
    caplog.set_level(logging.INFO, "kiq_django.worker")
    server = faults.Server(server_programs()[0])
    settings.KIQ = {**settings.KIQ, "REDIS": server.url}
    worker = running().start()
    wait_for(lambda: "Waiting for Redis" in caplog.text)
    assert not worker.infos
    try:
        server.start()
        [info] = wait_for(lambda: worker.infos)
        assert info.product in ("redis", "valkey")
        wait_for(lambda: stores.get().processes.count())
        assert "Redis is back" in caplog.text
        worker.tell("TERM")
        wait_for(lambda: worker.is_over)
        assert worker.code == 0
    finally:
        server.remove()


def test_a_signal_ends_the_wait(settings, running, tmp_path):
    settings.KIQ = {**settings.KIQ, "REDIS": f"unix://{tmp_path}/nobody"}
    worker = running().start()
    worker.tell("TERM")
    wait_for(lambda: worker.is_over)
    assert (worker.code, worker.infos) == (0, [])


def test_a_password_that_is_wrong_is_not_waited_for(settings, server_url, running, store):
    store.link.call("ACL", "SETUSER", "somebody", "on", ">right", "~*", "+@all")
    settings.KIQ = {**settings.KIQ, "REDIS": {"url": server_url, "username": "somebody", "password": "wrong"}}
    worker = running().start()
    wait_for(lambda: worker.is_over)
    store.link.call("ACL", "DELUSER", "somebody")
    assert isinstance(worker.error, StoreRefused)


EVICTING = [
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
]


@pytest.mark.parametrize("policy", EVICTING)
def test_a_server_that_throws_keys_away_is_refused(store, running, policy):
    store.link.client.config_set("maxmemory-policy", policy)
    try:
        worker = running().start()
        wait_for(lambda: worker.is_over)
    finally:
        store.link.client.config_set("maxmemory-policy", "noeviction")
    assert isinstance(worker.error, ConfigurationError)
    assert policy in str(worker.error)
    assert "allow_eviction" in str(worker.error)


def test_unless_somebody_wants_it_so(settings):
    settings.KIQ = {**settings.KIQ, "WORKER": {"allow_eviction": True}}
    runners.refuse_unusable(ServerInfo(product="redis", version=(7, 0), maxmemory_policy="allkeys-lru", evicts=True))


@pytest.mark.parametrize("version", [(2, 8), (5, 0, 14), (6, 0), (6, 1, 9)])
def test_a_server_that_is_too_old_is_refused(version):
    text = ".".join(map(str, version))
    with pytest.raises(ConfigurationError, match=f"Redis {text} is too old.*6.2"):
        runners.refuse_unusable(ServerInfo(product="redis", version=version))


@pytest.mark.parametrize(
    ("product", "version"),
    [
        ("redis", (6, 2)),
        ("redis", (8, 2, 1)),
        ("redis", ()),
        ("valkey", (7, 2)),
        ("dragonfly", (1, 27)),
        ("keydb", (6, 3)),
    ],
)
def test_all_others_are_taken(product, version):
    runners.refuse_unusable(ServerInfo(product=product, version=version))


# --- obedience ---


def test_quiet_then_stop(running, declare, push, waiting, done):
    declare(done.append, name="note")
    worker = running().start()
    push("note", 1)
    wait_for(lambda: done)
    worker.tell("TSTP")
    [identity] = wait_for(lambda: stores.get().processes.identities())
    wait_for(lambda: stores.get().processes.read([identity])[0].fields["quiet"] == "true")
    push("note", 2)
    worker.tell("INT")
    wait_for(lambda: worker.is_over)
    assert (done, waiting()) == ([1], [2])
    assert (worker.code, worker.runner.cut_off) == (0, False)


@pytest.fixture
def stuck(running, declare, push, gate):
    """A runner with a job that does not end, and a minute of patience for it."""
    begun = threading.Event()

    def stay(number):
        begun.set()
        gate.wait()

    declare(stay)
    worker = running(shutdown_timeout=60).start()
    push("stay", 1)
    assert begun.wait(5)
    return worker


def test_a_second_signal_ends_at_once(stuck, waiting, caplog):
    caplog.set_level(logging.INFO, "kiq_django.worker")
    stuck.tell("TERM")
    wait_for(lambda: "TERM: stopping" in caplog.text)
    stuck.tell("INT")
    wait_for(lambda: stuck.is_over, timeout=5)
    assert (stuck.code, stuck.runner.cut_off) == (0, True)
    assert waiting() == [1]


def test_two_signals_in_one_breath_are_two(stuck):
    os.write(stuck.pipe._write, bytes([signal.SIGTERM, signal.SIGTERM]))
    wait_for(lambda: stuck.is_over, timeout=1.5)


def test_it_may_be_ended_from_outside(running):
    worker = running().start()
    wait_for(lambda: worker.infos)
    worker.going = False
    wait_for(lambda: worker.is_over)
    assert worker.code == 0


def test_drained_it_ends_by_itself(running, declare, push, done):
    declare(done.append, name="note")
    for number in range(20):
        push("note", number)
    worker = running(drain=True).start()
    wait_for(lambda: worker.is_over)
    assert sorted(done) == list(range(20))


def test_it_says_what_every_thread_does(running, declare, push, gate, caplog):
    begun = threading.Event()

    def wait_for_the_gate():
        begun.set()
        gate.wait()

    declare(wait_for_the_gate)
    worker = running().start()
    push("wait_for_the_gate")
    begun.wait(5)
    worker.tell("TTIN")
    wait_for(lambda: "in wait_for_the_gate" in caplog.text)
    wait_for(lambda: "kiq-fetcher-default" in caplog.text)
    assert not worker.is_over


def test_a_dump_names_every_thread(caplog):
    runners.dump_threads()
    for thread in threading.enumerate():
        assert f"Thread {thread.name} (" in caplog.text


# --- the pipe ---


@pytest.fixture
def pipe():
    return SignalPipe()


def test_words_come_in_their_order(pipe):
    for name in HANDLED:
        pipe.tell(name)
    assert pipe.wait(0) == HANDLED
    assert pipe.wait(0) == []


def test_a_full_pipe_harms_nobody(pipe):
    for _ in range(100_000):
        pipe.tell("TTIN")
    assert set(pipe.wait(0)) == {"TTIN"}


def test_it_is_heard_beyond_the_first_thousand_files():
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, most), most))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        pipe = SignalPipe()
        pipe.tell("TERM")
        assert pipe.wait(1) == ["TERM"]
        pipe.close()
    finally:
        for each in files:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
