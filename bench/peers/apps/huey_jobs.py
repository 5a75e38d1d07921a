"""Jobs and client of Huey."""

import os
from typing import Any

import probe
from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS"], results=False)

KINDS = {
    "empty": huey.task(name="empty")(probe.empty),
    "clock": huey.task(name="clock")(probe.clock),
    "nap": huey.task(name="nap")(probe.nap),
    "toil": huey.task(name="toil")(probe.toil),
    "mark": huey.task(name="mark")(probe.mark),
}


class HueyClient(probe.Client):
    def one(self, kind: str, argument: Any) -> None:
        KINDS[kind](argument)


client = HueyClient
