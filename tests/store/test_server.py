"""What a server says of itself, and what it does not."""

import pytest
import redis

from kiq_django.store import connections
from tests.store.servers import bare, client_of, redis_server, url


class TestServerInfo:
    def test_a_real_server(self, server):
        with bare(server.port) as client:
            version = client.info("server")
        info = connections.server_info(client_of(url(server.port)))
        assert info.product in ("redis", "valkey")
        assert info.version_text == version.get("valkey_version", version["redis_version"])
        assert info.supports_shebang == (info.version >= (7,))
        assert (info.mode, info.role, info.replicas) == ("standalone", "master", 0)
        assert (info.maxmemory, info.maxmemory_policy, info.evicts) == (0, "noeviction", False)
        assert (info.aof, info.snapshots, info.last_save_ok, info.stops_unsaved) == (False, False, True, True)
        assert (info.read_only, info.replicas_in_sync, info.replicas_needed, info.refuses) == (None, 0, 0, None)
        assert min(info.used_memory, info.clients, info.uptime + 1) > 0
        assert (info.memory_share, info.evicted_keys) == (None, 0)

    def test_eviction_and_persistence_are_seen(self, server):
        client = client_of(url(server.port))
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("save", "3600 1")
        try:
            info = connections.server_info(client)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("save", "")
        assert (info.maxmemory_policy, info.evicts, info.snapshots) == ("allkeys-lru", True, True)

    def test_without_permission_hello_must_do(self, tmp_path):
        rules = ("--user", "worker", "on", ">w", "~*", "+@all", "-@dangerous")
        with redis_server(tmp_path, *rules) as server:
            with bare(server.port) as client:
                if client.info("server")["redis_version"].startswith("6"):
                    pytest.skip("all of CLIENT is dangerous to Redis 6.2, its SETNAME too")
            info = connections.server_info(client_of(f"redis://worker:w@127.0.0.1:{server.port}"))
        assert info.product in ("redis", "valkey")
        assert info.supports_shebang == (info.version >= (7,))
        assert (info.role, info.evicts, info.aof, info.snapshots) == ("master", None, None, None)

    @pytest.mark.parametrize(
        ("fields", "product", "version", "shebang", "evicts"),
        [
            (
                {"redis_version": "6.2.14", "maxmemory_policy": "noeviction"},
                "redis",
                (6, 2, 14),
                False,
                False,
            ),
            ({"redis_version": "7.0.0"}, "redis", (7, 0, 0), True, None),
            (
                {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"},
                "valkey",
                (9, 1, 2),
                True,
                None,
            ),
            (
                {"redis_version": "7.4.0", "dragonfly_version": "df-v1.27.1"},
                "dragonfly",
                (1, 27, 1),
                False,
                None,
            ),
            (
                {"redis_version": "7.4.0", "dragonfly_version": "df-v1.27.1", "cache_mode": "cache"},
                "dragonfly",
                (1, 27, 1),
                False,
                True,
            ),
            (
                {"redis_version": "7.4.0", "dragonfly_version": "dev", "cache_mode": "store"},
                "dragonfly",
                (),
                False,
                False,
            ),
            (
                {"redis_version": "6.3.4", "executable": "/usr/bin/keydb-server"},
                "keydb",
                (6, 3, 4),
                False,
                None,
            ),
            ({}, "unknown", (), False, None),
        ],
    )
    def test_other_products(self, fields, product, version, shebang, evicts):
        info = connections.server_info(Told(fields))
        assert (info.product, info.version, info.supports_shebang, info.evicts) == (
            product,
            version,
            shebang,
            evicts,
        )

    def test_a_server_that_is_away_is_an_error(self):
        with pytest.raises(redis.ConnectionError):
            connections.server_info(client_of("redis://127.0.0.1:1"))

    @pytest.mark.parametrize(
        ("fields", "in_sync"),
        [
            ({"slave0": {"state": "online", "lag": 1}, "slave1": {"state": "online", "lag": 0}}, 2),
            ({"slave0": {"state": "online", "lag": 11}, "slave1": {"state": "send_bulk", "lag": 0}}, 0),
            ({"slave0": {"state": "online", "lag": 11}, "dragonfly_version": "df-v1.27.1"}, 1),
            ({"slave0": "unreadable"}, 0),
            ({"min_slaves_good_slaves": 1}, 1),
        ],
    )
    def test_replicas_in_sync(self, fields, in_sync):
        assert connections.server_info(Told({"connected_slaves": 2, **fields})).replicas_in_sync == in_sync

    @pytest.mark.parametrize(
        ("fields", "refuses"),
        [
            ({}, None),
            ({"role": "slave", "slave_read_only": 1}, "readonly"),
            ({"role": "slave", "slave_read_only": 0}, None),
            ({"aof_last_write_status": "err"}, "misconf"),
            ({"rdb_last_bgsave_status": "err"}, None),  # snapshots by hand alone, as far as it tells
            ({"used_memory": 100, "maxmemory": 100, "maxmemory_policy": "noeviction"}, "full"),
            ({"used_memory": 100, "maxmemory": 100, "maxmemory_policy": "allkeys-lru"}, None),
            (
                {
                    "used_memory": 100,
                    "mem_not_counted_for_evict": 1,
                    "maxmemory": 100,
                    "maxmemory_policy": "noeviction",
                },
                None,
            ),
            ({"used_memory": 100, "maxmemory": 0, "maxmemory_policy": "noeviction"}, None),
        ],
    )
    def test_why_it_takes_no_writes(self, fields, refuses):
        assert connections.server_info(Told(fields)).refuses == refuses

    def test_too_few_replicas(self, server):
        client = client_of(url(server.port))
        client.config_set("min-replicas-to-write", 1)
        try:
            info = connections.server_info(client)
        finally:
            client.config_set("min-replicas-to-write", 0)
        assert (info.replicas_needed, info.replicas_in_sync, info.refuses) == (1, 0, "readonly")


class Told:
    """A server that we cannot start here, by what it is known to say; it knows no CONFIG."""

    def __init__(self, fields) -> None:
        self.replies = [fields]

    def pipeline(self, transaction):
        return self

    def info(self):
        pass

    def config_get(self, name):
        self.replies.append(redis.ResponseError("unknown command 'CONFIG'"))

    def execute(self, raise_on_error):
        return self.replies
