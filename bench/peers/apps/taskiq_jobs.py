"""Jobs and client of Taskiq, with the stream broker, which acknowledges."""

import os
from typing import Any

import probe
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(os.environ["BENCH_REDIS"], idle_timeout=int(os.environ.get("BENCH_RECOVERY", "600")) * 1000)

KINDS = {
    "empty": broker.task(task_name="empty")(probe.empty),
    "clock": broker.task(task_name="clock")(probe.clock),
    "nap": broker.task(task_name="nap")(probe.anap),
    "toil": broker.task(task_name="toil")(probe.toil),
    "mark": broker.task(task_name="mark")(probe.mark),
}


class TaskiqClient(probe.AsyncClient):
    is_started = False

    async def one(self, kind: str, argument: Any) -> None:
        if not self.is_started:
            await broker.startup()
            self.is_started = True
        await KINDS[kind].kiq(argument)


client = TaskiqClient
