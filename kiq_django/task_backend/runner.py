"""How a worker runs a task: its context, Django's signals, and a result that can be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, iscoroutinefunction, signature
from typing import Any

from kiq_django import clock, conf
from kiq_django import signals as own_signals
from kiq_django.backtrace import text_of
from kiq_django.codec import dumps, loads
from kiq_django.context import current_job
from kiq_django.exceptions import PayloadError, ResultError, ResultTypeError
from kiq_django.failure import ask
from kiq_django.task_backend import framework, shelf
from kiq_django.task_backend.framework import TaskContext, TaskError, TaskResult, TaskResultStatus
from kiq_django.task_backend.known import error_path
from kiq_django.task_backend.plain import plain
from kiq_django.task_backend.task import KiqTask, moment


def wrap(task: KiqTask) -> Callable[..., Any]:
    """What workers call in place of the task's function: the same name, the same arguments but for the context."""
    run = _wrap_async(task) if iscoroutinefunction(task.func) else _wrap_sync(task)
    run.__signature__ = signature_of(task)  # type: ignore[attr-defined]
    return run


def signature_of(task: KiqTask) -> Signature:
    """Of its function, without the context that the worker gives."""
    found = signature(task.func)
    parameters: list[Parameter] = list(found.parameters.values())
    return found.replace(parameters=parameters[1:]) if task.takes_context else found


def _wrap_sync(task: KiqTask) -> Callable[..., Any]:
    @wraps(task.func)
    def run(*args: Any, **kwargs: Any) -> Any:
        attempt = Attempt(task)
        attempt.begin()
        _tell("task_started", attempt)
        try:
            attempt.succeed(task.func(*attempt.leading, *args, **kwargs))
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                attempt.fail(error)
                _tell("task_finished", attempt)  # in here, where sys.exc_info() is the task's error
            raise
        _tell("task_finished", attempt)
        return attempt.value

    return run


def _wrap_async(task: KiqTask) -> Callable[..., Any]:
    @wraps(task.func)
    async def run(*args: Any, **kwargs: Any) -> Any:
        attempt = Attempt(task)
        await attempt.abegin()
        await _atell("task_started", attempt)
        try:
            attempt.succeed(await task.func(*attempt.leading, *args, **kwargs))
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt) and not attempt.is_cut_off(error):
                attempt.fail(error)
                await _atell("task_finished", attempt)
            raise
        await _atell("task_finished", attempt)
        return attempt.value

    return run


class Attempt:
    """One run of a task."""

    def __init__(self, task: KiqTask) -> None:
        running = current_job()
        if running is None:
            raise RuntimeError(f"{task.module_path} is run by workers alone; call the task itself")
        self._running = running
        self.sender = type(task.get_backend())
        """Of Django's signals."""
        self._takes_context = task.takes_context
        self.result: TaskResult[Any, Any]
        self.value: Any = None

    def begin(self) -> None:
        """Note it, and read how the runs before it went."""
        self.result = shelf.get().begin(self._running.payload, clock.now())

    async def abegin(self) -> None:
        """`begin` on an event loop."""
        self.result = await shelf.get().abegin(self._running.payload, clock.now())

    @property
    def leading(self) -> tuple[Any, ...]:
        """What the function is given before its arguments."""
        return (TaskContext(task_result=self.result),) if self._takes_context else ()

    def is_cut_off(self, error: BaseException) -> bool:
        """Cancelled by a worker that stops: the run does not count."""
        return isinstance(error, asyncio.CancelledError) and self._running.interrupted

    def succeed(self, value: Any) -> None:
        """It has returned.

        Raises:
            ResultError: that cannot be stored.
        """
        self.value = _storable(value)
        self._end(TaskResultStatus.SUCCESSFUL)

    def fail(self, error: BaseException) -> None:
        """It has raised. Whether it is tried again is decided after this."""
        cls, text = type(error), ask("", text_of, error)[0] or ""
        path = error_path(f"{cls.__module__}.{cls.__qualname__}")
        self.result.errors.append(TaskError(exception_class_path=path, traceback=text))
        self._end(TaskResultStatus.FAILED)

    def _end(self, status: TaskResultStatus) -> None:
        found = {"status": status, "finished_at": moment(clock.now()), "_return_value": self.value}
        for name, value in found.items():
            object.__setattr__(self.result, name, value)
        shelf.get().end(self.result)


def _storable(value: Any) -> Any:
    try:
        text = dumps(plain(value))
    except (PayloadError, TypeError, ValueError) as error:
        kind = ResultTypeError if isinstance(error, TypeError) else ResultError
        raise kind(f"The result of this task cannot be stored: {error}. Return plain JSON") from error
    size, limit = len(text.encode()), conf.get().limits.payload
    if size > limit:
        raise ResultError(f"The result of this task has {size:,} bytes, more than KIQ['LIMITS']['payload'] ({limit:,})")
    return loads(text.encode())


def _tell(name: str, attempt: Attempt) -> None:
    for signal in framework.signal(name):
        own_signals.send(signal, attempt.sender, task_result=attempt.result)


async def _atell(name: str, attempt: Attempt) -> None:
    for signal in framework.signal(name):
        await own_signals.asend(signal, attempt.sender, task_result=attempt.result)
