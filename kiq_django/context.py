"""Which job the code that asks is running in."""

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from kiq_django import clock, results
from kiq_django.exceptions import KiqError
from kiq_django.payload import Payload

if TYPE_CHECKING:
    from kiq_django.registry import Definition


logger = logging.getLogger("kiq_django")
PROGRESS_EVERY = 0.5
"""Seconds between two words of a job on how far it is."""


class StopFlag(Protocol):
    """What a worker sets once it is stopping; a `threading.Event` is one."""

    def is_set(self) -> bool: ...


class RunningJob:
    """A job while it runs."""

    opened_connection: bool = False
    """The job made its thread connect to a database, so that somebody must disconnect."""
    is_direct: bool = False
    """Made by `perform_now` in this process: it never lay in Redis."""
    _told_at: float = -1.0

    def __init__(
        self, payload: Payload, queue: str, definition: "Definition | None", stop_flag: StopFlag | None = None
    ) -> None:
        self.payload = payload
        """As it was fetched; arguments of rich types still encoded."""
        self.queue = queue
        """The queue it was fetched from, which a retry may have changed."""
        self.definition = definition
        """What `@job` declared, None when no loaded code declares this name."""
        self.stop_flag = stop_flag

    def __repr__(self) -> str:
        return f"<RunningJob {self.name} {self.id}>"

    @property
    def id(self) -> str:
        """The job's id, 24 hexadecimal characters."""
        return self.payload.jid

    @property
    def name(self) -> str:
        """The name under which the job was declared, also where Rails wrapped it."""
        return self.definition.name if self.definition else self.payload.name

    @property
    def attempt(self) -> int:
        """Which run this is, from 1. A run that a crash cut off does not count."""
        count = self.payload.retry_count
        return 1 if count is None else count + 2

    @property
    def tags(self) -> list[str]:
        """Labels that the job was enqueued with."""
        return self.payload.tags

    @property
    def interrupted(self) -> bool:
        """True once the worker is stopping: a long job should save its progress and return."""
        return self.stop_flag is not None and self.stop_flag.is_set()

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Say how far the job is: `progress(37, total=100, text="37 of 100 pages")`. Costs a round trip, so say it
        every second and not every row; within half a second of the last word only the end (`done == total`) is told.

        A Redis that does not answer is logged and does the job no harm. In `async def` jobs use `aprogress`.
        """
        if raw := self._progress(done, total, text):
            try:
                results.tell(self.id, raw)
            except KiqError as error:
                logger.warning("The progress of job %s could not be told: %s", self.id, error)

    async def aprogress(self, done: float, total: float | None = None, text: str = "") -> None:
        """`progress` from an `async def` job."""
        if raw := self._progress(done, total, text):
            try:
                await results.atell(self.id, raw)
            except KiqError as error:
                logger.warning("The progress of job %s could not be told: %s", self.id, error)

    def _progress(self, done: float, total: float | None, text: str) -> bytes:
        """Empty when it is too early for another word."""
        now = clock.monotonic()
        if done != total and now - self._told_at < PROGRESS_EVERY:
            return b""
        self._told_at = now
        return results.dump_progress(done, total, text, self.attempt)


current: ContextVar[RunningJob | None] = ContextVar("kiq_django.current_job", default=None)


def current_job() -> RunningJob | None:
    """The job that this code runs in, None outside of jobs.

    Threads that a job starts itself see it only if they run in a copy of its context.
    """
    return current.get()
