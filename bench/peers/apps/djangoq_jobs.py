"""Jobs and client of django-q2."""

from typing import Any

import django

django.setup()

import probe  # noqa: E402
from django_q.tasks import async_task  # noqa: E402


class DjangoQClient(probe.Client):
    def one(self, kind: str, argument: Any) -> None:
        async_task(f"probe.{kind}", argument)


client = DjangoQClient
