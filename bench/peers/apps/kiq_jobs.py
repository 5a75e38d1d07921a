"""Jobs and client of kiq_django."""

from typing import Any

import django

django.setup()

import probe  # noqa: E402

from kiq_django import job  # noqa: E402

JOBS = {
    "empty": job(name="empty")(probe.empty),
    "clock": job(name="clock")(probe.clock),
    "nap": job(name="nap")(probe.nap),
    "anap": job(name="anap")(probe.anap),
    "toil": job(name="toil")(probe.toil),
    "mark": job(name="mark")(probe.mark),
}


class KiqClient(probe.Client):
    at_once = 1_000_000

    def one(self, kind: str, argument: Any) -> None:
        JOBS[kind].enqueue(argument)

    def many(self, kind: str, arguments: list[Any]) -> None:
        JOBS[kind].enqueue_all((argument,) for argument in arguments)


client = KiqClient
