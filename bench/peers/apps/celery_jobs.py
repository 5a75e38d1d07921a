"""Jobs and client of Celery: late acknowledgement, redelivery when a child is lost, no results kept."""

import os
from typing import Any

import probe
from celery import Celery, group

app = Celery("bench", broker=os.environ["BENCH_REDIS"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=64,  # what the manual's page on optimizing suggests for many short tasks
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": int(os.environ.get("BENCH_RECOVERY", "3600"))},
    worker_hijack_root_logger=True,
)

KINDS = {
    "empty": app.task(name="empty")(probe.empty),
    "clock": app.task(name="clock")(probe.clock),
    "nap": app.task(name="nap")(probe.nap),
    "toil": app.task(name="toil")(probe.toil),
    "mark": app.task(name="mark")(probe.mark),
}


class CeleryClient(probe.Client):
    def one(self, kind: str, argument: Any) -> None:
        KINDS[kind].delay(argument)

    def many(self, kind: str, arguments: list[Any]) -> None:
        group(KINDS[kind].s(argument) for argument in arguments).apply_async()


client = CeleryClient
