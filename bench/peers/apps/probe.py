"""What every contestant's jobs do, and how every contestant's client is timed: the same lines for all of them.

Only the standard library: this file is imported in the environment of each contestant. Where it writes is said by
`BENCH_DIRECTORY`; every so many jobs (`BENCH_EVERY`) a process notes how many it has run, and when.
"""

import asyncio
import contextlib
import inspect
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

DIRECTORY = Path(os.environ.get("BENCH_DIRECTORY", "."))
EVERY = int(os.environ.get("BENCH_EVERY", "100"))
WARM_UP = 20
BULK = 1_000


class Notes:
    """Files that this process appends to; a forked child has its own."""

    def __init__(self) -> None:
        self.pid = 0
        self.numbers = itertools.count(1)
        self.files: dict[str, int] = {}

    def write(self, kind: str, line: str) -> None:
        """Append one line in one system call, so that lines of several threads do not mix."""
        file = self.files.get(kind)
        if file is None:
            path = DIRECTORY / f"{kind}.{os.getpid()}"
            file = self.files[kind] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, line.encode())


notes = Notes()


def _of_this_process() -> Notes:
    global notes
    notes = Notes()
    return notes


os.register_at_fork(after_in_child=_of_this_process)


# --- what jobs do ---


def empty(number: int = 0) -> None:
    """Nothing, and be counted."""
    n = next(notes.numbers)
    if n % EVERY == 0 or n == 1:
        notes.write("ran", f"{n} {time.monotonic()}\n")


def clock(sent: float) -> None:
    """Note how long it took from the call of the client to here."""
    notes.write("delays", f"{time.time() - sent}\n")


def nap(milliseconds: float) -> None:
    """As a call of another service does: wait, then be counted."""
    time.sleep(milliseconds / 1000)
    empty()


async def anap(milliseconds: float) -> None:
    """The same on an event loop."""
    await asyncio.sleep(milliseconds / 1000)
    empty()


def toil(milliseconds: float) -> None:
    """Compute, and let no other thread of the process do so more often than the interpreter sees to."""
    end, total = time.monotonic() + milliseconds / 1000, 0
    while time.monotonic() < end:
        for each in range(1_000):
            total += each * each % 7


def mark(number: int) -> None:
    """Work for a moment, then note that this very job ran."""
    time.sleep(0.02)
    notes.write("marks", f"{number}\n")


# --- what clients do ---


class Client:
    """How a contestant enqueues; a subclass says it in the contestant's own best documented way."""

    at_once = BULK
    """How many jobs `many` is given; who cuts them up by itself may have all."""

    def one(self, kind: str, argument: Any) -> Any:
        """Enqueue one job. May be a coroutine function."""
        raise NotImplementedError

    def many(self, kind: str, arguments: list[Any]) -> Any:
        """Enqueue many at once; where there is no call for that, one by one."""
        for argument in arguments:
            self.one(kind, argument)


class AsyncClient(Client):
    """The same for libraries whose client is asynchronous."""

    async def many(self, kind: str, arguments: list[Any]) -> None:
        """Enqueue many, as many at once as the library's documentation suggests."""
        for argument in arguments:
            await self.one(kind, argument)


def main(client: Client) -> None:
    """The command line of every contestant's client: `APP.py COMMAND NUMBER [KIND [ARGUMENT [SECONDS]]]`."""
    told = _run(client, sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    if isinstance(client, AsyncClient):
        asyncio.run(told)
        return
    with contextlib.suppress(StopIteration):  # nothing in it waits, so no event loop is in a synchronous client's way
        told.send(None)


async def _run(
    client: Client, command: str, number: int, kind: str = "empty", argument: str = "", gap: str = "0"
) -> None:
    if command == "single":
        for each in range(WARM_UP):
            await _awaited(client.one("empty", each))
        began = time.perf_counter()
        for each in range(number):
            await _awaited(client.one("empty", each))
        print(json.dumps({"seconds": time.perf_counter() - began, "jobs": number}))
    elif command == "bulk":
        await _awaited(client.one("empty", 0))
        began = time.perf_counter()
        await _fill(client, "empty", [*range(number)])
        print(json.dumps({"seconds": time.perf_counter() - began, "jobs": number}))
    elif command == "fill":
        await _fill(client, kind, [float(argument)] * number if argument else [*range(number)])
    elif command == "paced":
        await _paced(client, number, kind, float(gap), argument)
    else:
        raise SystemExit(f"unknown command {command}")


async def _fill(client: Client, kind: str, arguments: list[Any]) -> None:
    for start in range(0, len(arguments), client.at_once):
        await _awaited(client.many(kind, arguments[start : start + client.at_once]))


def _rest_until(due: float) -> None:
    """To the microsecond, which an event loop does not do; nothing else runs in this program."""
    time.sleep(max(0.0, due - time.perf_counter()))


async def _paced(client: Client, number: int, kind: str, gap: float, argument: str) -> None:
    """Enqueue at a steady pace; every tenth job is a `clock`, or all of them. The first of all opens the connection."""
    await _awaited(client.one("empty", 0))
    due = time.perf_counter()
    for each in range(number):
        due += gap
        _rest_until(due)
        if kind == "clock" or each % 10 == 0:
            await _awaited(client.one("clock", time.time()))
        else:
            await _awaited(client.one(kind, float(argument)))


async def _awaited(answer: Any) -> None:
    if inspect.isawaitable(answer):
        await answer
