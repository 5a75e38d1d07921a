"""Jobs and client of whatever is the backend of Django's own tasks."""

from typing import Any

import django

django.setup()

import probe  # noqa: E402
from django.tasks import task  # noqa: E402


@task
def empty(number: int) -> None:
    probe.empty(number)


@task
def clock(sent: float) -> None:
    probe.clock(sent)


@task
def nap(milliseconds: float) -> None:
    probe.nap(milliseconds)


@task
def mark(number: int) -> None:
    probe.mark(number)


KINDS = {"empty": empty, "clock": clock, "nap": nap, "mark": mark}


class TasksClient(probe.Client):
    def one(self, kind: str, argument: Any) -> None:
        KINDS[kind].enqueue(argument)


client = TasksClient
