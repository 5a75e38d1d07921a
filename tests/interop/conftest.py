"""The real Sidekiq, of Debian's package ruby-sidekiq, on the server of the test run."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiq_django import clock
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from tests.acceptance.process import WorkerProcess, workers
from tests.support import wait_for

SCRIPTS = Path(__file__).parent / "ruby"
VERSION = "6.4.1"
READY = "The Ruby worker works"


def sidekiq_version() -> str:
    """Of the gem that ruby finds; empty without ruby or without the gem."""
    ruby = shutil.which("ruby")
    if not ruby:
        return ""
    command = [ruby, "-e", 'require "sidekiq"; require "sidekiq/web"; puts Sidekiq::VERSION']
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


@pytest.fixture(scope="session")
def sidekiq() -> str:
    """The version of the real thing. In continuous integration it has to be there."""
    version = sidekiq_version()
    if version.startswith("6.4."):
        return version
    message = f"needs Sidekiq {VERSION} (apt-get install ruby-sidekiq), found {version or 'none'}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Console:
    """One Ruby process for all tests, which runs our scripts."""

    def __init__(self, url: str, directory: Path) -> None:
        self.errors = directory / "errors"
        command = ["ruby", str(SCRIPTS / "console.rb")]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                env=_environment(url, directory),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )

    def run(self, script: str, given: Any = None) -> Any:
        """Give a script something, and get its answer; an error in Ruby is one here."""
        self.process.stdin.write(json.dumps([script, given]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.errors.read_text(errors="replace")
        outcome, answer = json.loads(line)
        assert outcome == "good", answer
        return answer

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def console(sidekiq, server_url, tmp_path_factory) -> Iterator[Console]:
    found = Console(server_url, tmp_path_factory.mktemp("ruby"))
    yield found
    found.close()


@pytest.fixture
def ruby(console, store) -> Callable[..., Any]:
    """Run one of our scripts: what is given goes in as JSON, its answer comes out."""
    return console.run


def _environment(url: str, directory: Path) -> dict[str, str]:
    return {**os.environ, "KIQ_TEST_URL": url, "KIQ_TEST_DIRECTORY": str(directory), "LANG": "C.UTF-8"}


class RubyWorker:
    """A real `sidekiq` process."""

    def __init__(self, url: str, directory: Path, *options: str) -> None:
        self.log = directory / f"ruby-{os.urandom(3).hex()}.log"
        command = ["sidekiq", "-r", str(SCRIPTS / "worker.rb"), "-t", "2", *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=directory, env=_environment(url, directory), stdout=log, stderr=log
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def ready(self) -> "RubyWorker":
        wait_for(lambda: READY in self.output or self.process.poll() is not None, 20, "sidekiq")
        assert self.process.poll() is None, self.output
        return self

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def ruby_worker(sidekiq, store, server_url, tmp_path) -> Iterator[Callable[..., RubyWorker]]:
    """Start a Ruby worker; it ends with the test."""
    started: list[RubyWorker] = []

    def start(*options: str) -> RubyWorker:
        worker = RubyWorker(server_url, tmp_path, *options)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()


@pytest.fixture
def worker(store, server_url, tmp_path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start one of ours; it ends with the test."""
    with workers(server_url, tmp_path) as start:
        yield start


@pytest.fixture
def our_worker(worker) -> Callable[..., WorkerProcess]:
    """One of ours that knows the jobs of `tests.interop.jobs`, and is quick about everything."""

    def start(*options: str, **kwargs: Any) -> WorkerProcess:
        kiq = {"WORKER": {"poll_interval": 0.1, "heartbeat": 0.3, "lease": 30}, **kwargs}
        return worker("-r", "tests.interop.jobs", "-q", "default", "-c", "3", *options, kiq=kiq)

    return start


@pytest.fixture
def push(store) -> Callable[..., Payload]:
    """Push a job as our client writes it."""

    def pushed(name: str, *args: Any, queue: str = "default", at: float | None = None, **fields: Any) -> Payload:
        now = clock.now()
        stamp = {} if at else {"enqueued_at": now}
        made = Payload.new(name, args, {}, queue=queue, retry=fields.pop("retry", True), now=now, **fields, **stamp)
        store.queues.push([Entry(queue, made.encode(), at)])
        return made

    return pushed
