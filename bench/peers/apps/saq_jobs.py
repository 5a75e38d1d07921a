"""Jobs and client of SAQ."""

import os
from typing import Any

import probe
from saq import Queue

queue = Queue.from_url(os.environ["BENCH_REDIS"])


async def empty(ctx: dict[str, Any], *, argument: int) -> None:
    probe.empty(argument)


async def clock(ctx: dict[str, Any], *, argument: float) -> None:
    probe.clock(argument)


async def nap(ctx: dict[str, Any], *, argument: float) -> None:
    await probe.anap(argument)


async def mark(ctx: dict[str, Any], *, argument: int) -> None:
    probe.mark(argument)


settings = {
    "queue": queue,
    "functions": [empty, clock, nap, mark],
    "concurrency": int(os.environ.get("BENCH_CONCURRENCY", "10")),
}


class SaqClient(probe.AsyncClient):
    async def one(self, kind: str, argument: Any) -> None:
        await queue.enqueue(kind, argument=argument, ttl=-1)


client = SaqClient
