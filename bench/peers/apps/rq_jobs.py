"""Jobs and client of RQ."""

import os
from typing import Any

import probe
from redis import Redis
from rq import Queue


class RqClient(probe.Client):
    def __init__(self) -> None:
        self.queue = Queue("default", connection=Redis.from_url(os.environ["BENCH_REDIS"]))

    def one(self, kind: str, argument: Any) -> None:
        self.queue.enqueue(getattr(probe, kind), argument, result_ttl=0)

    def many(self, kind: str, arguments: list[Any]) -> None:
        function = getattr(probe, kind)
        self.queue.enqueue_many([Queue.prepare_data(function, (argument,), result_ttl=0) for argument in arguments])


client = RqClient
