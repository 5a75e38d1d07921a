"""Where what is known of tasks is kept: in Redis, or for the other adapters in this process."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import replace
from functools import cache
from typing import Any, Final

from django.utils.module_loading import import_string

from kiq_django import conf
from kiq_django.payload import Payload
from kiq_django.task_backend.framework import TaskResult
from kiq_django.task_backend.known import Known, result_of
from kiq_django.task_backend.worker_name import worker_name

MOST_IN_MEMORY: Final = 10_000
"""Tasks that a process remembers where nothing lasts; the oldest are forgotten first."""


class Shelf(ABC):
    """Remembers tasks."""

    @abstractmethod
    def enter(self, payload: Payload) -> None:
        """It is about to be pushed."""

    async def aenter(self, payload: Payload) -> None:
        """`enter` from an event loop, and so on."""
        self.enter(payload)

    @abstractmethod
    def begin(self, payload: Payload, started_at: float) -> TaskResult[Any, Any]:
        """A run has begun (epoch seconds). Answers what is known then; never raises, since the run goes on anyway."""

    async def abegin(self, payload: Payload, started_at: float) -> TaskResult[Any, Any]:
        return self.begin(payload, started_at)

    @abstractmethod
    def end(self, result: TaskResult[Any, Any]) -> None:
        """A run has ended."""

    @abstractmethod
    def find(self, jid: str) -> Known | None:
        """What is known of a task.

        Raises:
            StoreError: Redis does not answer.
        """

    async def afind(self, jid: str) -> Known | None:
        return self.find(jid)

    def all(self) -> list[Known]:
        """What this process knows, in the order of enqueueing."""
        return []

    def clear(self) -> None:
        """Forget that."""
        return


class Memory(Shelf):
    """For adapters that keep nothing in Redis."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._lock = threading.Lock()
        self._worker = worker_name()

    def enter(self, payload: Payload) -> None:
        self._keep(Known(payload=payload))

    def begin(self, payload: Payload, started_at: float) -> TaskResult[Any, Any]:
        known = self._known.get(payload.jid) or Known(payload=payload)
        return result_of(self._keep(known.begun(started_at, self._worker)))

    def end(self, result: TaskResult[Any, Any]) -> None:
        known, finished_at = self._known.get(result.id), result.finished_at
        if known is not None and finished_at is not None:
            self._keep(
                replace(
                    known,
                    status=str(result.status.value),
                    errors=tuple((error.exception_class_path, error.traceback) for error in result.errors),
                    finished_at=finished_at.timestamp(),
                    value=result._return_value,  # type: ignore[attr-defined]
                )
            )

    def find(self, jid: str) -> Known | None:
        return self._known.get(jid)

    def all(self) -> list[Known]:
        with self._lock:
            return list(self._known.values())

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def _keep(self, known: Known) -> Known:
        with self._lock:
            self._known[known.payload.jid] = known
            while len(self._known) > MOST_IN_MEMORY:
                self._known.popitem(last=False)
        return known


@cache
def get() -> Shelf:
    """The shelf of the settings in force."""
    if conf.get().adapter != "redis":
        return Memory()
    made: Shelf = import_string("kiq_django.task_backend.redis_shelf.RedisShelf")()  # imports the Redis library
    return made


conf.on_reset(get.cache_clear)
