"""Where the worker tells of its jobs' lives. The threads that run jobs only append; one thread writes."""

from collections.abc import Sequence
from typing import Protocol

from kiq_django.execution import Outcome
from kiq_django.payload import Payload


class Journal(Protocol):
    """Writes the lines about jobs."""

    def started(self, payload: Payload, queue: str) -> None:
        """Any thread: a job begins here and now. Must not block and must not write."""

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """The fetcher's thread: these jobs have ended, and their ends are stored."""

    def flush(self) -> None:
        """The fetcher's thread: write what was noted."""
