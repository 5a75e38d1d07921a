"""Jobs and client of django-rq."""

from typing import Any

import django

django.setup()

import django_rq  # noqa: E402
import probe  # noqa: E402


class DjangoRqClient(probe.Client):
    def __init__(self) -> None:
        self.queue = django_rq.get_queue("default")

    def one(self, kind: str, argument: Any) -> None:
        self.queue.enqueue(getattr(probe, kind), argument, result_ttl=0)

    def many(self, kind: str, arguments: list[Any]) -> None:
        function = getattr(probe, kind)
        prepare = self.queue.prepare_data
        self.queue.enqueue_many([prepare(function, (argument,), result_ttl=0) for argument in arguments])


client = DjangoRqClient
