"""Server middleware: writes every run of a job into the database, with its time and its end."""

import os
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any

from django.utils import timezone

from example_project.desk.models import Run
from kiq_django import Discard, current_job


@dataclass(slots=True)
class Entry:
    """A run while it lasts."""

    payload: Any
    started_at: datetime = field(default_factory=timezone.now)
    clock: float = field(default_factory=perf_counter)

    def ended(self, error: BaseException | None = None) -> Run:
        """Return the row to write, now that the job has returned or raised."""
        running = current_job()
        return Run(
            jid=self.payload.jid,
            job=self.payload.name,
            queue=running.queue if running else "",
            retries=running.attempt - 1 if running else 0,
            outcome=_outcome(error),
            error=f"{type(error).__name__}: {error}"[:300] if error else "",
            started_at=self.started_at,
            seconds=perf_counter() - self.clock,
            worker=f"pid {os.getpid()}",
        )


def _outcome(error: BaseException | None) -> Run.Outcome:
    if error is None:
        return Run.Outcome.DONE
    return Run.Outcome.DISCARDED if isinstance(error, Discard) else Run.Outcome.FAILED


class KeepBook:
    """One link for both kinds of jobs: `__call__` goes around plain ones, `acall` around `async def` ones."""

    def __call__(self, payload: Any, proceed: Callable[[Any], Any]) -> Any:
        with self.entry(payload):
            return proceed(payload)

    async def acall(self, payload: Any, proceed: Callable[[Any], Awaitable[Any]]) -> Any:
        async with self.aentry(payload):
            return await proceed(payload)

    @contextmanager
    def entry(self, payload: Any):
        entry = Entry(payload)
        try:
            yield
        except Exception as error:
            entry.ended(error).save()
            raise
        entry.ended().save()

    @asynccontextmanager
    async def aentry(self, payload: Any):
        entry = Entry(payload)
        try:
            yield
        except Exception as error:
            await entry.ended(error).asave()
            raise
        await entry.ended().asave()


keep_book = KeepBook()
