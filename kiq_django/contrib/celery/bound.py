"""What a task sees of itself while it runs: `self` of `bind=True`, its request, and its retries."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kiq_django import clock
from kiq_django.context import RunningJob, current_job
from kiq_django.contrib.celery.carried import METHODS
from kiq_django.exceptions import Discard, JobTimeout, KiqError, Unsupported
from kiq_django.jobs.moments import epoch

if TYPE_CHECKING:
    from kiq_django.contrib.celery.task import Task

SoftTimeLimitExceeded = JobTimeout
"""What is raised inside of a task that runs longer than its limit."""


class Ignore(Discard):
    """Raise inside of a task: it ends here."""


class Reject(Discard):
    """Raise inside of a task: it ends here."""

    def __init__(self, reason: object = None, requeue: bool = False) -> None:
        if requeue:
            raise Unsupported("Reject(requeue=True) has no counterpart here. Use self.retry(countdown=0)")
        super().__init__(reason)


class MaxRetriesExceededError(KiqError):
    """A task asked for a retry once too often."""


class Retry(Exception):  # noqa: N818 - Celery's name
    """A task is to run again. Raised by `self.retry`."""

    def __init__(self, message: str = "", exc: BaseException | None = None, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.exc = exc
        """Why."""
        self.seconds = seconds
        """How long from now."""


@dataclass(frozen=True, slots=True)
class Request:
    """`self.request`."""

    id: str | None
    """The job's id; None where the task is called as a function."""
    retries: int
    """How often it was tried again so far."""
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    called_directly: bool
    """Called as a function, by no worker."""
    expires: float | None
    """Epoch seconds."""
    delivery_info: Mapping[str, Any]
    """The queue, as `routing_key`."""

    @property
    def root_id(self) -> str | None:
        """The job's own id: nobody keeps note of who enqueued whom."""
        return self.id

    @property
    def is_eager(self) -> bool:
        """Always False: also in tests, jobs go through JSON and middleware."""
        return False


DIRECT: Final = Request(None, 0, (), {}, called_directly=True, expires=None, delivery_info={})


class Bound:
    """`self` of a task with `bind=True`."""

    def __init__(self, task: "Task[..., Any]", *, max_retries: int | None, default_retry_delay: float) -> None:
        self.max_retries = max_retries
        """Retries of a call of `retry` that does not say otherwise; None is no limit."""
        self.default_retry_delay = default_retry_delay
        """Seconds."""
        self._task = task

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            raise Unsupported(f"self.{name} has no counterpart here: {METHODS[name]}")
        return getattr(self._task, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task as a function."""
        return self._task(*args, **kwargs)

    @property
    def request(self) -> Request:
        """What is known of this run."""
        running = self._running()
        if running is None:
            return DIRECT
        payload = running.payload
        return Request(
            running.id,
            running.attempt - 1,
            payload.args,
            payload.kwargs,
            called_directly=running.is_direct,
            expires=payload.expires_at,
            delivery_info={"routing_key": running.queue},
        )

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> NoReturn:
        """End this run, and have the task run again.

        Args:
            args: cannot be changed here.
            kwargs: cannot be changed here.
            exc: why; raised when there are no retries left.
            throw: cannot be False here.
            eta: when to run it again.
            countdown: in how many seconds to run it again; without both, after `default_retry_delay`.
            max_retries: how many retries there are, for this call.
            options: none.

        Raises:
            Retry: always, as long as there are retries left.
            BaseException: `exc`, else MaxRetriesExceededError, when there are none.
            Unsupported: something was asked for that has no counterpart here.
        """
        self._refuse(args, kwargs, throw, options)
        request = self.request
        if request.called_directly:
            raise exc or Retry("the task can be retried")
        most = self.max_retries if max_retries is None else max_retries
        if most is not None and request.retries >= most:
            raise exc or MaxRetriesExceededError(f"{self._task.name} was retried {request.retries} times already")
        seconds = self._seconds(eta, countdown)
        reason = f": {exc!r}" if exc else ""
        raise Retry(f"again in {seconds:g} s{reason}", exc, seconds) from exc

    def _refuse(
        self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None, throw: bool, options: Mapping[str, Any]
    ) -> None:
        request = self.request
        if (args is not None and list(args) != list(request.args)) or kwargs not in (None, {}, request.kwargs):
            raise Unsupported("retry() cannot change the arguments here. Enqueue the task anew, and return")
        if not throw:
            raise Unsupported("retry(throw=False) has no counterpart here. Enqueue the task anew with apply_async")
        if options:
            raise Unsupported(f"retry() has no option {', '.join(options)} here")

    def _running(self) -> RunningJob | None:
        """This task's job, and not that of a task that calls it as a function."""
        running = current_job()
        return running if running is not None and running.name == self._task.name else None

    def _seconds(self, eta: datetime | None, countdown: float | None) -> float:
        if eta is not None:
            return max(0.0, epoch(eta) - clock.now())
        return self.default_retry_delay if countdown is None else max(0.0, countdown)


@dataclass(frozen=True, slots=True)
class AutoRetry:
    """`autoretry_for` and its kin."""

    errors: tuple[type[BaseException], ...]
    spared: tuple[type[BaseException], ...]
    """`dont_autoretry_for`."""
    options: Mapping[str, Any]
    """`retry_kwargs`."""
    backoff: float
    """Seconds of the first delay, which doubles; 0 for none."""
    backoff_max: float
    jitter: bool

    def after(self, error: BaseException, bound: Bound) -> None:
        """Raise what becomes of an error of the task, or nothing if it is to be let out."""
        if isinstance(error, (Discard, Retry, *self.spared)) or not isinstance(error, self.errors):
            return
        options = dict(self.options)
        if self.backoff:
            options["countdown"] = self._delay(bound.request.retries)
        bound.retry(exc=error, **options)

    def _delay(self, retries: int) -> float:
        most = min(self.backoff_max, max(1.0, self.backoff) * 2 ** min(retries, 64))
        return float(random.randrange(int(most) + 1)) if self.jitter else most  # noqa: S311 - spreads load
