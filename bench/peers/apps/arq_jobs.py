"""Jobs and client of ARQ."""

import os
from typing import Any

import probe
from arq import create_pool, func
from arq.connections import RedisSettings

REDIS = RedisSettings.from_dsn(os.environ["BENCH_REDIS"])


async def empty(ctx: dict[str, Any], number: int) -> None:
    probe.empty(number)


async def clock(ctx: dict[str, Any], sent: float) -> None:
    probe.clock(sent)


async def nap(ctx: dict[str, Any], milliseconds: float) -> None:
    await probe.anap(milliseconds)


async def mark(ctx: dict[str, Any], number: int) -> None:
    probe.mark(number)


class WorkerSettings:
    functions = [func(each, keep_result=0) for each in (empty, clock, nap, mark)]
    redis_settings = REDIS
    job_timeout = int(os.environ.get("BENCH_RECOVERY", "300"))
    poll_delay = 0.01  # the default of 0.5 s is for few jobs
    max_jobs = int(os.environ.get("BENCH_CONCURRENCY", "10"))


class ArqClient(probe.AsyncClient):
    pool: Any = None

    async def one(self, kind: str, argument: Any) -> None:
        self.pool = self.pool or await create_pool(REDIS)
        await self.pool.enqueue_job(kind, argument)


client = ArqClient
