"""Jobs whose effects are lines in a file: one atomic append, which survives whatever happens to the process."""

import asyncio
import contextlib
import fcntl
import importlib
import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path

from django.conf import settings

from kiq_django import RetryOn, current_job, job


def note(text: str) -> None:
    """Append one line, all or nothing."""
    handle = os.open(settings.DIRECTORY / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


@job
def touch(number: int, seconds: float = 0.0) -> None:
    time.sleep(seconds)
    note(f"touch {number}")


@job
async def atouch(number: int, seconds: float = 0.0) -> None:
    await asyncio.sleep(seconds)
    note(f"atouch {number}")


@job
def tell_switch_interval() -> None:
    note(f"switch interval {sys.getswitchinterval():g}")


@job
def begin(number: int, seconds: float) -> None:
    note(f"begin {number}")
    time.sleep(seconds)
    note(f"end {number}")


@job
def close_pipes(number: int) -> None:
    """As programs do that become daemons: every pipe that its process writes to."""
    for path in Path("/proc/self/fd").iterdir():
        number_of_file = int(path.name)
        with contextlib.suppress(OSError):
            writes = fcntl.fcntl(number_of_file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
            if number_of_file > 2 and writes and stat.S_ISFIFO(os.fstat(number_of_file).st_mode):
                os.close(number_of_file)
    note(f"closed {number}")


@job
def hold(number: int) -> None:
    """Ends when the test opens the gate, and not before."""
    note(f"begin {number}")
    while not (settings.DIRECTORY / "gate").exists():
        time.sleep(0.02)
    note(f"end {number}")


@job
def heed(number: int) -> None:
    """Ends early when asked to."""
    note(f"begin {number}")
    while not current_job().interrupted:
        time.sleep(0.01)
    note(f"heeded {number}")


@job(retry_on=RetryOn(ValueError, wait=0.05, attempts=2))
def fail(number: int) -> None:
    note(f"fail {number}")
    raise ValueError(f"number {number}")


@job
def leave(number: int) -> None:
    note(f"leave {number}")
    raise SystemExit(3)


@job
def release(number: int) -> None:
    """Notes which release runs."""
    note(f"release {importlib.import_module('release').VERSION}")


@job
def suicide(number: int) -> None:
    note(f"suicide {number}")
    os.kill(os.getpid(), signal.SIGKILL)


if "KIQ_TEST_THREAD" in os.environ:  # as some libraries do when they are imported
    threading.Thread(target=threading.Event().wait, daemon=True).start()
if "KIQ_TEST_IMPORT" in os.environ:
    importlib.import_module(os.environ["KIQ_TEST_IMPORT"])

if os.environ.get("KIQ_TEST_RELEASE") == "2":

    @job(name="tests.acceptance.app.jobs.fresh", retry=0)
    def fresh(number: int) -> None:
        """New in this release."""
        note(f"fresh {number}")

    @job(name="tests.acceptance.app.jobs.renamed", aliases=["tests.acceptance.app.jobs.former"])
    def renamed(number: int) -> None:
        """Had another name in the release before."""
        note(f"named {number}")

else:

    @job(name="tests.acceptance.app.jobs.former", retry=0)
    def former(number: int) -> None:
        """Gets another name in the next release."""
        note(f"named {number}")
