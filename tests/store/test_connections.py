"""Clients: what they send, when they give up, how they survive forks and failovers. On real servers."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import redis

from kiq_django import conf
from kiq_django.exceptions import ConfigurationError, StoreUnavailable
from kiq_django.store import connections
from tests.sentinels import Trio
from tests.store.servers import Proxy, Server, answers, bare, certificate, client_of, free_port, redis_server, url
from tests.support import wait_for

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def _no_clients_are_left():
    yield
    connections.forget()


class TestClient:
    def test_replies_are_bytes(self, server):
        client = client_of(url(server.port))
        client.set("a", "ü")
        assert client.get("a") == "ü".encode()

    @pytest.mark.parametrize("purpose", ["commands", "fetch", "heartbeat"])
    def test_it_says_who_it_is(self, server, purpose):
        client = client_of(url(server.port), purpose)
        assert client.client_getname() in (f"kiq:{purpose}", f"kiq:{purpose}".encode())

    def test_a_new_connection_reads_nothing_from_disk(self, server, monkeypatch):
        pool = client_of(url(server.port)).connection_pool
        looked = []
        with monkeypatch.context() as patch:
            patch.setattr("importlib.metadata.version", lambda name: looked.append(name) or "1.0")
            pool.make_connection()
        assert looked == []

    def test_equal_targets_share_a_client_and_purposes_do_not(self, server):
        assert client_of(url(server.port)) is client_of({"url": url(server.port)})
        assert client_of(url(server.port)) is not client_of(url(server.port), "fetch")

    def test_a_reset_of_the_settings_makes_new_clients(self, server):
        before = client_of(url(server.port))
        before.ping()
        conf.reset()
        assert client_of(url(server.port)) is not before
        assert before.ping()

    @pytest.mark.parametrize(("purpose", "seconds"), [("commands", 5), ("fetch", 10), ("heartbeat", 5)])
    def test_time_limits_are_explicit(self, server, purpose, seconds):
        options = client_of(url(server.port), purpose).connection_pool.connection_kwargs
        assert options["socket_timeout"] == seconds
        assert options["socket_connect_timeout"] == 3
        assert options["socket_keepalive"] is True
        assert options["health_check_interval"] == 0

    def test_own_time_limits_are_kept_where_they_do_no_harm(self, server):
        value = {"url": url(server.port), "socket_timeout": 2, "socket_connect_timeout": 1}
        assert client_of(value).connection_pool.connection_kwargs["socket_timeout"] == 2
        assert client_of(value).connection_pool.connection_kwargs["socket_connect_timeout"] == 1
        assert client_of(value, "fetch").connection_pool.connection_kwargs["socket_timeout"] == 10

    def test_more_threads_than_the_default_pool_of_redis_py_has_connections(self, server):
        client = client_of(url(server.port))
        gate = threading.Barrier(130)
        trouble = []

        def work() -> None:
            try:
                with client.pipeline() as pipe:
                    pipe.watch("a")
                    gate.wait(20)
            except Exception as error:
                trouble.append(error)

        threads = [threading.Thread(target=work) for _ in range(130)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert trouble == []

    def test_options_of_a_shared_url_that_are_ours_are_passed_over(self, server):
        client = client_of(f"{url(server.port)}?decode_responses=yes&retry_on_timeout=yes&health_check_interval=1")
        client.set("a", "1")
        assert client.get("a") == b"1"
        assert client.connection_pool.connection_kwargs["health_check_interval"] == 0

    def test_a_unix_socket(self, tmp_path):
        path = tmp_path / "redis.sock"
        with redis_server(tmp_path, "--unixsocket", str(path)):
            assert client_of(f"unix://{path}?db=2").connection_pool.connection_kwargs["db"] == 2
            assert client_of(f"unix://{path}?db=2").ping()

    def test_unknown_options_are_named(self):
        with pytest.raises(ConfigurationError, match="sokcet_timeout"):
            client_of({"url": f"redis://:{SECRET}@h", "sokcet_timeout": 1})

    def test_check_finds_them_without_connecting(self):
        connections.check(connections.target("redis://192.0.2.1:1"))
        with pytest.raises(ConfigurationError, match=r"redis://h .*'nonsense'") as caught:
            connections.check(connections.target({"url": f"redis://:{SECRET}@h", "nonsense": 1}))
        assert SECRET not in str(caught.value)

    def test_cache_alias(self, server, settings):
        cache = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": [url(server.port)]}
        options = {"CONNECTION_POOL_KWARGS": {"retry_on_timeout": True, "max_connections": 3}}
        settings.CACHES = {"default": {**cache, "OPTIONS": options}}
        client = client_of("default")
        assert client.ping()
        assert client.connection_pool.max_connections == 3

    def test_password(self, tmp_path):
        with redis_server(tmp_path, "--requirepass", "p@ss/word") as server:
            assert answers(server.port, password="p@ss/word")
            assert client_of(url(server.port, "p%40ss%2Fword")).ping()
            assert client_of({"url": url(server.port), "password": "p@ss/word"}).ping()


class TestOneAttempt:
    """A command whose reply is lost has been executed: nobody may send it again."""

    @pytest.mark.parametrize("form", ["url", "dict", "cache"])
    def test_a_lost_reply_is_one_entry_and_one_error(self, server, settings, form):
        proxy = Proxy(server.port)
        pool = {"retry_on_timeout": True, "retry_on_error": [redis.ConnectionError]}
        cache = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url(proxy.port)}
        settings.CACHES = {"default": {**cache, "OPTIONS": {"CONNECTION_POOL_KWARGS": pool}}}
        client = client_of({"url": url(proxy.port), "dict": {"url": url(proxy.port)}, "cache": "default"}[form])
        client.ping()
        proxy.drop_next = True
        with pytest.raises(redis.ConnectionError):
            client.lpush("queue:default", "job")
        with bare(server.port) as other:
            assert other.llen("queue:default") == 1
        assert proxy.dropped == 1
        proxy.close()

    def test_the_same_in_pipelines(self, server):
        proxy = Proxy(server.port)
        client = client_of(url(proxy.port))
        for transaction in (True, False):
            client.ping()
            proxy.drop_next = True
            with pytest.raises(redis.ConnectionError), client.pipeline(transaction=transaction) as pipe:
                pipe.lpush("queue:default", "job")
                pipe.execute()
        with bare(server.port) as other:
            assert other.llen("queue:default") == 2
        proxy.close()

    def test_the_next_command_has_a_new_connection(self, server):
        proxy = Proxy(server.port)
        client = client_of(url(proxy.port))
        proxy.drop_next = True
        with pytest.raises(redis.ConnectionError):
            client.lpush("a", "1")
        assert client.llen("a") in (0, 1)
        proxy.close()

    def test_nobody_listens(self):
        started = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught, connections.translated("redis://127.0.0.1:1"):
            client_of("redis://127.0.0.1:1").ping()
        assert time.monotonic() - started < 2
        assert "Connection refused" in str(caught.value)

    def test_a_silent_server_is_given_up_after_the_limit(self, server):
        client = client_of({"url": url(server.port), "socket_timeout": 0.2})
        with bare(server.port) as other:
            client.ping()
            server.process.send_signal(signal.SIGSTOP)
            started = time.monotonic()
            with pytest.raises(redis.TimeoutError):
                client.lpush("a", "1")
            assert 0.2 <= time.monotonic() - started < 0.5
            server.process.send_signal(signal.SIGCONT)
            wait_for(lambda: other.llen("a") == 1, what="the entry that was pushed after all")
        assert connections.classify(redis.TimeoutError("Timeout reading from socket")) == "away"


class TestFork:
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_the_child_never_uses_the_sockets_of_the_parent(self, server):
        client = client_of(url(server.port))
        mine = client.client_id()
        with bare(server.port) as other:
            before = len(other.client_list())
            child = os.fork()
            if child == 0:
                try:
                    again = client_of(url(server.port))
                    same = again is client or mine in (again.client_id(), client.client_id())
                    other_ids = {again.client_id(), client.client_id()}
                    os._exit(1 if same or len(other_ids) != 2 else 0)
                finally:
                    os._exit(2)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            assert client.client_id() == mine
            wait_for(lambda: len(other.client_list()) <= before, what="the end of the child's connections")

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_a_lock_that_another_thread_held_does_not_stop_the_child(self, server):
        client_of(url(server.port)).ping()
        with connections._guard:
            child = os.fork()
            if child == 0:
                signal.alarm(5)
                os._exit(0 if client_of(url(server.port)).ping() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path):
        cert, key = certificate(tmp_path)
        port = free_port()
        tls = ("--tls-port", str(port), "--tls-cert-file", str(cert), "--tls-key-file", str(key))
        server = Server(tmp_path, *tls, "--tls-ca-cert-file", str(cert), "--tls-auth-clients", "no", "--port", "0")
        server.start()
        try:
            options = {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False}
            wait_for(lambda: answers(port, **options) or server.process.poll() is not None)
            if server.process.poll() is not None:
                pytest.skip("this server program has no TLS")
            yield port, cert
        finally:
            server.kill()

    def test_with_the_right_authority(self, secure):
        port, cert = secure
        assert client_of({"url": f"rediss://127.0.0.1:{port}/0", "ssl_ca_certs": str(cert)}).ping()
        assert client_of({"url": f"redis://127.0.0.1:{port}/0", "ssl": True, "ssl_ca_certs": str(cert)}).ping()
        assert client_of(f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={cert}").ping()

    def test_an_unknown_authority_is_refused(self, secure):
        port, _ = secure
        with (
            pytest.raises(StoreUnavailable, match=r"(?i)certificate"),
            connections.translated("rediss://127.0.0.1"),
        ):
            client_of(f"rediss://127.0.0.1:{port}/0").ping()

    def test_the_check_can_be_turned_off_in_words(self, secure):
        port, _ = secure
        assert client_of({"url": f"rediss://127.0.0.1:{port}", "ssl_cert_reqs": "none"}).ping()


class TestSentinel:
    def test_after_a_failover_the_next_call_reaches_the_new_master(self, tmp_path):
        with Trio(tmp_path, password=SECRET) as trio:
            self.fails_over(trio.settle())

    def fails_over(self, trio):
        master, replica = trio.servers
        addresses = [("127.0.0.1", 1), *trio.value["sentinels"]]
        target = connections.target({**trio.value, "sentinels": addresses, "password": SECRET})
        client = connections.client(target, purpose="commands")
        client.set("kept", "1")
        client.execute_command("WAIT", 1, 5000)
        assert client.connection_pool.master_address[1] == master.port
        master.kill()

        troubles = []

        def write() -> bool:
            try:
                return client.set("a", "1")
            except redis.RedisError as error:
                troubles.append(error)
                return False

        wait_for(write, 30, "a write to the new master")
        assert client.connection_pool.master_address[1] == replica.port
        assert client.get("kept") == b"1"
        assert {connections.classify(error) for error in troubles} <= {"away", "readonly", "loading"}
        assert SECRET not in "".join(str(connections.translate(error, target)) for error in troubles)

    def test_no_sentinel_answers(self):
        target = connections.target({"sentinels": [("127.0.0.1", 1)], "master": "main", "password": SECRET})
        client = connections.client(target, purpose="commands")
        with pytest.raises(StoreUnavailable, match=r"sentinel://127.0.0.1:1/main cannot be reached") as caught:
            with_our_errors(client, target)
        assert SECRET not in str(caught.value)


def with_our_errors(client, label) -> None:
    with connections.translated(label):
        client.ping()


def test_nothing_is_logged_or_warned_at_import():
    code = "import django.conf; django.conf.settings.configure(); import kiq_django.store.connections"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert logging.getLogger("redis").handlers == []
