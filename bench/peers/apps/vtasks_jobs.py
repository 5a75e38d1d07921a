"""Jobs and client of django-vtasks."""

from typing import Any

import django

django.setup()

import probe  # noqa: E402
from django_vtasks import task  # noqa: E402


@task
def empty(number: int) -> None:
    probe.empty(number)


@task
def clock(sent: float) -> None:
    probe.clock(sent)


@task
async def nap(milliseconds: float) -> None:
    await probe.anap(milliseconds)


@task
def mark(number: int) -> None:
    probe.mark(number)


KINDS = {"empty": empty, "clock": clock, "nap": nap, "mark": mark}


class VTasksClient(probe.AsyncClient):
    async def one(self, kind: str, argument: Any) -> None:
        await KINDS[kind].aenqueue(argument)


client = VTasksClient
