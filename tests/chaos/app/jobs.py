"""Jobs of the chaos tests: their effects are lines in a file."""

import asyncio
import re
import resource
import time
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection

from kiq_django import RetryOn, current_job, job
from tests.acceptance.app.jobs import note


@job
def hold(number: int) -> None:
    """Runs until the test lays down a file."""
    note(f"hold {number}")
    while not (settings.DIRECTORY / "go").exists():
        time.sleep(0.01)
    note(f"held {number}")


@job
def work(number: int, seconds: float) -> None:
    """The most of all jobs."""
    note(f"begin {number}")
    time.sleep(seconds)
    note(f"end {number}")


@job
async def awork(number: int, seconds: float) -> None:
    """The same on the event loop."""
    note(f"begin {number}")
    await asyncio.sleep(seconds)
    note(f"end {number}")


@job(retry_on=RetryOn(ValueError, wait=0.1, attempts=99))
def flaky(number: int, failures: int) -> None:
    """Fails so many times, then no more."""
    note(f"begin {number}")
    failed = current_job().payload.retry_count
    if (0 if failed is None else failed + 1) < failures:
        raise ValueError(number)
    note(f"end {number}")


@job
def die(number: int) -> None:
    """Goes to the dead set at once: it is pushed with no retry."""
    note(f"begin {number}")
    raise ValueError(number)


@job(retry_on=RetryOn(OperationalError, wait=0.1, attempts=99))
def save(number: int, seconds: float) -> None:
    """Writes a row, in a transaction that takes its time."""
    note(f"begin {number}")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO saved SELECT %s FROM pg_sleep(%s)", [number, seconds])


@job
def devour(number: int) -> None:
    """Takes memory until the system gives no more."""
    note(f"begin {number}")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + 100_000_000, before[1]))
    try:
        taken = []
        while True:
            taken.append(bytearray(10_000_000))
    finally:
        taken.clear()
        resource.setrlimit(resource.RLIMIT_AS, before)


@job
def grip(number: int, seconds: float) -> None:
    """Holds the interpreter: no other thread of the process runs meanwhile, the heartbeat's neither."""
    note(f"begin {number}")
    length, took = 16, 0.0
    while took < seconds / 3:  # each letter doubles the time
        began = time.monotonic()
        re.match(r"(a+)+$", "a" * length + "b")
        took = time.monotonic() - began
        length += 1
    re.match(r"(a+)+$", "a" * length + "b")
    note(f"end {number}")
