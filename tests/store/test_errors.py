"""What servers really answer when they do not do as told, and what we make of it."""

import shutil
import threading

import pytest
import redis

from kiq_django.exceptions import StoreError, StoreRefused
from kiq_django.store import connections
from tests.store.servers import answers, bare, client_of, redis_server, url
from tests.support import wait_for

SECRET = "s3cr3t"


class TestTrouble:
    """What servers really answer, and what we make of it."""

    def trouble(self, client, *command) -> StoreError:
        with pytest.raises(StoreError) as caught, connections.translated("redis://h:1"):
            client.execute_command(*command)
        assert str(caught.value).startswith("Redis at redis://h:1 ")
        return caught.value

    def kind(self, client, *command) -> str:
        try:
            client.execute_command(*command)
        except redis.RedisError as error:
            return connections.classify(error)
        return "none"

    def test_full(self, server):
        client = client_of(url(server.port))
        client.config_set("maxmemory", 1)
        try:
            assert self.kind(client, "LPUSH", "a", "1") == "full"
            assert self.kind(client, "EVAL", "return redis.call('LPUSH', KEYS[1], 1)", 1, "a") == "full"
            error = self.trouble(client, "LPUSH", "a", SECRET)
            with pytest.raises(redis.ResponseError) as caught, client.pipeline() as pipe:
                pipe.lpush("a", f"{SECRET} NOAUTH caused").execute()
        finally:
            client.config_set("maxmemory", 0)
        assert type(error) is StoreRefused
        assert "is full (maxmemory)" in str(error)
        assert connections.classify(caught.value) == "full"
        assert SECRET not in str(connections.translate(caught.value, "redis://h:1"))

    def test_read_only(self, server):
        client = client_of(url(server.port))
        client.replicaof("127.0.0.1", 1)
        try:
            assert self.kind(client, "LPUSH", "a", "1") == "readonly"
            assert self.kind(client, "EVAL", "return redis.call('LPUSH', KEYS[1], 1)", 1, "a") == "readonly"
            assert type(self.trouble(client, "LPUSH", "a", "1")) is StoreRefused
            client.config_set("replica-serve-stale-data", "no")
            assert self.kind(client, "GET", "a") == "readonly"
        finally:
            client.config_set("replica-serve-stale-data", "yes")
            client.replicaof("NO", "ONE")

    def test_demoted_while_a_client_blocks(self, server):
        client, caught = client_of(url(server.port), "fetch"), []

        def block() -> None:
            try:
                client.blmove("a", "b", 8)
            except redis.RedisError as error:
                caught.append(error)

        waiter = threading.Thread(target=block)
        waiter.start()
        with bare(server.port) as other:
            wait_for(lambda: other.info("clients")["blocked_clients"] == 1)
            other.replicaof("127.0.0.1", 1)
            waiter.join()
            other.replicaof("NO", "ONE")
        assert connections.classify(caught[0]) == "readonly"
        assert connections.must_disconnect(caught[0])

    def test_too_few_replicas(self, server):
        client = client_of(url(server.port))
        client.config_set("min-replicas-to-write", 1)
        try:
            assert self.kind(client, "LPUSH", "a", "1") == "readonly"
        finally:
            client.config_set("min-replicas-to-write", 0)

    def test_passwords_and_permissions(self, tmp_path):
        rules = (
            "--requirepass",
            "right",
            "--user",
            "reader",
            "on",
            ">reader",
            "~*",
            "+@read",
            "+@connection",
        )
        with redis_server(tmp_path, *rules) as server:
            wait_for(lambda: answers(server.port, password="right"))
            assert self.kind(client_of(url(server.port)), "LPUSH", "a", "1") == "auth"
            assert self.kind(client_of(url(server.port, SECRET)), "LPUSH", "a", "1") == "auth"
            reader = client_of(f"redis://reader:reader@127.0.0.1:{server.port}")
            assert self.kind(reader, "LPUSH", "a", "1") == "auth"
            assert "LPUSH" in str(self.trouble(reader, "LPUSH", "a", "1")).upper()
            error = self.trouble(client_of(url(server.port, SECRET)), "LPUSH", "a", "1")
        assert type(error) is StoreRefused
        assert SECRET not in str(error)

    def test_cannot_save(self, tmp_path):
        folder = tmp_path / "data"
        with redis_server(folder, "--save", "3600", "1000000") as server:
            client = client_of(url(server.port))
            shutil.rmtree(folder)
            client.bgsave()
            wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
            assert self.kind(client, "LPUSH", "a", "1") == "misconf"
            assert "cannot save its data" in str(self.trouble(client, "LPUSH", "a", "1"))

    def test_an_ordinary_error(self, server):
        error = self.trouble(client_of(url(server.port)), "NONSENSE")
        assert type(error) is StoreError
        assert "answered with an error: unknown command" in str(error)

    @pytest.mark.parametrize(
        ("error", "trouble"),
        [
            (redis.exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
            (redis.ResponseError("LOADING Redis is loading the dataset in memory"), "loading"),
            (redis.ConnectionError("The previous master is now a slave"), "readonly"),
            (
                redis.ResponseError("ERR Error running script: @user_script:1: -OOM command not allowed when"),
                "full",
            ),
            (redis.exceptions.MasterDownError("Link with MASTER is down"), "readonly"),
            (ConnectionResetError(104, "Connection reset by peer"), "away"),
            (redis.exceptions.NoScriptError("No matching script"), "other"),
        ],
    )
    def test_the_rest(self, error, trouble):
        assert connections.classify(error) == trouble
        assert connections.must_disconnect(error) == (trouble == "readonly")

    def test_an_error_of_ours_stays(self):
        error = StoreRefused("no")
        assert connections.translate(error) is error

    def test_renew_leaves_a_demoted_server(self, server):
        client = client_of(url(server.port))
        before = client.client_id()
        connections.renew(client)
        assert client.client_id() != before
