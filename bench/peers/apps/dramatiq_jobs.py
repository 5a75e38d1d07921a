"""Jobs and client of Dramatiq."""

import os
from typing import Any

import dramatiq
import probe
from dramatiq.brokers.redis import RedisBroker

RECOVERY = int(os.environ.get("BENCH_RECOVERY", "60"))
dramatiq.set_broker(
    RedisBroker(url=os.environ["BENCH_REDIS"], heartbeat_timeout=RECOVERY * 1000, maintenance_chance=100_000)
)

KINDS = {
    "empty": dramatiq.actor(actor_name="empty")(probe.empty),
    "clock": dramatiq.actor(actor_name="clock")(probe.clock),
    "nap": dramatiq.actor(actor_name="nap")(probe.nap),
    "toil": dramatiq.actor(actor_name="toil")(probe.toil),
    "mark": dramatiq.actor(actor_name="mark")(probe.mark),
}


class DramatiqClient(probe.Client):
    def one(self, kind: str, argument: Any) -> None:
        KINDS[kind].send(argument)

    def many(self, kind: str, arguments: list[Any]) -> None:
        dramatiq.group(KINDS[kind].message(argument) for argument in arguments).run()


client = DramatiqClient
