"""What the server says of itself, and what that means."""

from dataclasses import replace

import pytest
from django.test import override_settings

from kiq_django import conf
from kiq_django.api.redis_box import RedisBox
from kiq_django.api.redis_points import judge, refusal
from kiq_django.exceptions import StoreUnavailable
from kiq_django.store import Store, connections
from tests.store.servers import bare, redis_server, url
from tests.support import round_trips, wait_for


def store_at(address, prefix=""):
    return Store(connections.target(address), prefix, conf.get().limits)


def points(box):
    return {point.code: point for point in judge(box)}


@pytest.fixture
def config(store):
    """Change the server's configuration, and change it back."""
    before = {}

    def config(**options):
        for name, value in options.items():
            name = name.replace("_", "-")
            before.setdefault(name, store.link.client.config_get(name)[name])
            store.link.call("CONFIG", "SET", name, value)

    yield config
    for name, value in before.items():
        store.link.call("CONFIG", "SET", name, value)


def test_a_server_in_figures(store):
    box = RedisBox.read()
    assert (box.label, box.kind, box.prefix) == (str(store.target), "url", "")
    assert box.server.product in ("redis", "valkey")
    assert box.server.version_text.count(".") == 2
    assert 0 < box.round_trip < 5
    assert abs(box.clock_offset) < 1
    assert (box.server.memory_share, box.server.refuses) == (None, None)
    assert (box.server.evicted_keys, box.server.replicas) == (0, 0)
    assert box.server.used_memory > 0
    assert box.server.clients > 0
    assert refusal(box) is None


def test_no_password_is_shown(tmp_path):
    with redis_server(tmp_path, "--requirepass", "secret") as server:
        wait_for(lambda: bare(server.port, password="secret").ping())
        box = RedisBox.read(store_at(url(server.port, "secret")))
    assert "secret" not in str(box)
    assert str(server.port) in box.label


def test_two_round_trips(store):
    with round_trips() as sent:
        RedisBox.read()
    assert len(sent) == 2


def test_two_times_are_taken_from_several(store):
    with round_trips() as sent:
        RedisBox.read(samples=5)
    assert len(sent) == 6


def test_where_info_and_config_are_forbidden_little_is_known(tmp_path):
    rules = ("--user", "worker", "on", ">w", "~*", "+@all", "-@dangerous", "+client")
    with redis_server(tmp_path, *rules) as server:
        store = store_at(f"redis://worker:w@127.0.0.1:{server.port}")
        store.processes.ping()
        with round_trips() as sent:
            box = RedisBox.read(store)
    assert len(sent) == 3
    assert box.server.product in ("redis", "valkey")
    told = (box.server.used_memory, box.server.maxmemory, box.server.aof, box.server.uptime, box.server.evicted_keys)
    assert told == (None,) * 5
    assert {code for code, point in points(box).items() if point.state == "unknown"} == {
        "redis_persistence",
        "redis_eviction",
    }


def test_a_server_that_is_away():
    with (
        override_settings(KIQ={"REDIS": "redis://user:secret@127.0.0.1:1/0"}),
        pytest.raises(StoreUnavailable) as caught,
    ):
        RedisBox.read()
    assert "secret" not in str(caught.value)


def test_the_order_is_that_of_the_doctor(store):
    assert list(points(RedisBox.read())) == [
        "redis_server",
        "redis_role",
        "redis_persistence",
        "redis_eviction",
        "redis_memory",
        "clock",
        "redis_round_trip",
    ]


def test_a_slow_answer_is_no_wrong_clock(store):
    box = replace(RedisBox.read(), round_trip=4.0, clock_offset=2.5)
    assert points(box)["clock"].level == "ok"
    assert points(replace(box, clock_offset=-3.5))["clock"].level == "warn"
    assert points(box)["redis_round_trip"].text == "4,000.00 ms"


def test_a_full_server(store, config):
    config(maxmemory=str(2**19))
    box = RedisBox.read()
    assert box.server.memory_share > 1
    assert points(box)["redis_memory"].level == "warn"
    assert refusal(box).text.startswith("Redis is full, and takes no new jobs: ")
    assert refusal(box).text.endswith(" of 0.5 MB used")


@pytest.mark.strange_keys
def test_from_four_fifths_on_a_server_is_nearly_full(store, config):
    store.link.call("SET", "ballast", "x" * 2**23)  # beside it, what a connection needs does not count
    used = RedisBox.read().server.used_memory
    config(maxmemory=str(int(used / 0.85)))
    assert points(RedisBox.read())["redis_memory"].level == "warn"
    assert refusal(RedisBox.read()) is None
    config(maxmemory=str(int(used / 0.6)))
    assert points(RedisBox.read())["redis_memory"].level == "ok"


def test_a_server_that_cannot_save(tmp_path):
    folder = tmp_path / "data"
    with redis_server(folder, "--save", "3600", "1000000") as server, bare(server.port) as client:
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
        client.bgsave()
        wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
        box = RedisBox.read(store_at(url(server.port)))
        client.config_set("stop-writes-on-bgsave-error", "no")
        lenient = RedisBox.read(store_at(url(server.port)))
    assert refusal(box).code == "redis_misconf"
    assert refusal(box).text == "Redis takes no writes: it cannot save its data to disk"
    assert points(box)["redis_persistence"].level == "error"
    assert refusal(lenient) is None


def test_a_replica(store):
    store.link.client.replicaof("127.0.0.1", 1)
    try:
        box = RedisBox.read()
    finally:
        store.link.client.replicaof("NO", "ONE")
    assert refusal(box).text == "Redis takes no writes: it is a replica"
    assert points(box)["redis_role"].text == "a replica, which takes no jobs"


def test_too_few_replicas(store, config):
    config(min_replicas_to_write="1")
    assert refusal(RedisBox.read()).text == ("Redis takes no writes: replicas in sync: 0 of 1 that it demands")


def test_replicas_in_sync_and_out_of_it(tmp_path):
    with redis_server(tmp_path / "a") as master, redis_server(tmp_path / "b") as replica:
        store = store_at(url(master.port))
        with bare(replica.port) as client:
            client.replicaof("127.0.0.1", master.port)
            wait_for(lambda: RedisBox.read(store).server.replicas_in_sync == 1, timeout=30)
        box = RedisBox.read(store)
    assert points(box)["redis_role"].text == "master, 1 replica"
    late = replace(box, server=replace(box.server, replicas=2, replicas_in_sync=1))
    assert points(late)["redis_role"].level == "warn"
    assert points(late)["redis_role"].text == "master, 2 replicas, not in sync: 1"
