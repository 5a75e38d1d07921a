"""What goes wrong between a worker and its Redis, on demand: a proxy that loses replies, a server that dies."""

import contextlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kiq_django.store.server import server_info
from tests.support import wait_for

CHUNK = 65_536


class Proxy:
    """Hands bytes on between clients and a server; one pair of threads per connection."""

    def __init__(self, upstream: str | int) -> None:
        """`upstream` is the path of a socket, or a port of this host."""
        self.dropped = 0
        """Replies lost so far."""
        self._upstream = upstream
        self._delay = 0.0
        self._refusing = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._to_drop = 0
        self._needle = b""
        self._pairs: set[Pair] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def drop_replies(self, number: int = 1, *, to: bytes = b"") -> None:
        """The server will execute the next `number` requests that contain `to`, and their senders never know."""
        with self._lock:
            self._to_drop, self._needle = number, to

    def blackhole(self) -> None:
        """Hold everything back, in both directions, the ends of connections included."""
        self._flowing.clear()

    def heal(self) -> None:
        """Let everything flow again."""
        self._delay = 0.0
        self._flowing.set()

    def refuse(self) -> None:
        """As if nothing listened there: break all connections, and new ones as soon as they are made."""
        self._refusing = True
        self.reset()

    def accept(self) -> None:
        """Listen again."""
        self._refusing = False

    def delay(self, seconds: float) -> None:
        """Hold every chunk back for a while."""
        self._delay = seconds

    def reset(self) -> int:
        """Break all connections the hard way. Returns how many there were."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    def close(self) -> None:
        """End it, with all its connections and threads."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept, which close alone does not
        self._listener.close()
        self.heal()
        self.reset()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        far = None if self._refusing else _connected(self._upstream)
        if far is None:
            _break(near)
            return
        pair = Pair(near, far)
        self._pairs.add(pair)
        for towards_server in (True, False):
            threading.Thread(target=self._pump, args=(pair, towards_server), name="proxy-pump", daemon=True).start()

    def _pump(self, pair: "Pair", towards_server: bool) -> None:
        source, sink = (pair.near, pair.far) if towards_server else (pair.far, pair.near)
        with contextlib.suppress(OSError):
            while (data := source.recv(CHUNK)) and not self._loses(pair, data, towards_server):
                self._flowing.wait()
                if self._delay:
                    time.sleep(self._delay)
                sink.sendall(data)
        self._flowing.wait()
        pair.reset()
        self._pairs.discard(pair)

    def _loses(self, pair: "Pair", data: bytes, towards_server: bool) -> bool:
        with self._lock:
            if towards_server:
                if self._to_drop and self._needle in data:
                    self._to_drop -= 1
                    pair.is_doomed = True
            elif pair.is_doomed:
                self.dropped += 1
                return True
        return False


class Pair:
    """One connection: from the client to us, and from us to the server."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.is_doomed = False
        """A request has passed whose reply is to be lost."""

    def reset(self) -> None:
        """Both ends find the connection reset."""
        _break(self.near)
        _break(self.far)


class Server:
    """A server of one test alone, which it may stop, freeze and start again; it keeps its data by AOF.

    Each write is with the system before its answer is sent, so that a killed server has lost nothing. With
    `appendfsync everysec`, Redis' default, that is not so: while the disk is busy it answers first, for up to two
    seconds.
    """

    def __init__(self, program: str, *arguments: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="kiq"))  # short: it holds the path of a socket
        self.socket = self.directory / "s"
        self.url = f"unix://{self.socket}"
        kept = ("--port", "0", "--unixsocket", str(self.socket), "--save", "")
        kept += ("--appendonly", "yes", "--appendfsync", "no")
        self._command = [program, *kept, "--dir", str(self.directory), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> "Server":
        """Start it, and wait until it has loaded its data."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        if ready:
            wait_for(self.answers, what="the server's first answer")
        return self

    @property
    def is_up(self) -> bool:
        """Whether there is a process, frozen or not."""
        return self._process is not None

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and says nothing."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was frozen."""
        self._send(signal.SIGCONT)

    def remove(self) -> None:
        """End it and delete its data."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self) -> redis.Redis:
        """A client with nothing of ours."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def answers(self) -> bool:
        """Whether it has loaded its data and serves."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def last(seconds: float) -> None:
    """A trouble takes its time."""
    threading.Event().wait(seconds)


@contextlib.contextmanager
def full(client: redis.Redis, *, drains: bool = False) -> Iterator[None]:
    """Inside the block the server has no memory left for anything that could need some.

    `drains` is for tests of what goes on nevertheless. They are skipped where scripts cannot carry `allow-oom`: a full
    server of that kind (Redis 6.2) refuses what would free memory too.
    """
    if drains and not server_info(client).supports_shebang:
        import pytest

        pytest.skip("scripts of this server cannot carry allow-oom: when it is full nothing goes on")
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)


@contextlib.contextmanager
def demoted(client: redis.Redis) -> Iterator[None]:
    """Inside the block the server is a replica of nobody: it refuses all writes, and has ended all waits."""
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")


@contextlib.contextmanager
def unsaved(client: redis.Redis, directory: Path) -> Iterator[None]:
    """Inside the block the server cannot save its data, and so refuses every write (MISCONF), and even a PING.

    It has to run with `--enable-protected-configs yes`.
    """
    home = client.config_get("dir")["dir"]
    nowhere = directory / "nowhere"
    nowhere.mkdir()
    client.config_set("dir", str(nowhere))
    nowhere.rmdir()
    client.config_set("save", "3600 1")
    client.bgsave()
    wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", what="a save to fail")
    try:
        yield
    finally:
        client.config_set("save", "")
        client.config_set("dir", home)


def _connected(upstream: str | int) -> socket.socket | None:
    """None when nobody listens there."""
    connected = socket.socket(socket.AF_INET if isinstance(upstream, int) else socket.AF_UNIX)
    try:
        connected.connect(("127.0.0.1", upstream) if isinstance(upstream, int) else upstream)
    except OSError:
        connected.close()
        return None
    return connected


def _break(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it, which close alone does not
    end.close()
