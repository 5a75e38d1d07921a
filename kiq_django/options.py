"""What a job's declaration may say about its life. Unusable values are refused where the job is declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from kiq_django.exceptions import ConfigurationError

DAY = 86_400
LONGEST = 1_000_000_000
"""Seconds; Sidekiq refuses a larger `retry_for`: it is a point in time, not a duration."""

Wait = float | timedelta | Callable[[int], float | timedelta] | Callable[[int, Any], float | timedelta] | None
NOTHING: Mapping[str, Any] = MappingProxyType({})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_error_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _refuse(option: str, wanted: str, value: Any) -> ConfigurationError:
    return ConfigurationError(f"the job option {option!r} must be {wanted}, not {value!r}")


@dataclass(frozen=True, slots=True, init=False)
class RetryOn:
    """How often and when to try again after certain errors, whatever the job's `retry` says.

    Args:
        exceptions: the errors, subclasses included.
        wait: seconds (exactly: no jitter is added), or a function of the retry number (0 before the first
            retry), and of the error if it takes two arguments, that returns seconds; None for the usual growing delay.
        attempts: runs in all, the first one included; after the last the job is dead.
        queue: where the retries go; None for the job's own.

    Raises:
        ConfigurationError: one of them is not usable.
    """

    exceptions: tuple[type[BaseException], ...]
    wait: Wait
    attempts: int
    queue: str | None

    def __init__(
        self,
        *exceptions: type[BaseException],
        wait: Wait = None,
        attempts: int = 5,
        queue: str | None = None,
    ) -> None:
        if not exceptions or not all(map(_is_error_class, exceptions)):
            raise _refuse("retry_on", "RetryOn(SomeError, ...) of exception classes", exceptions)
        if wait is not None and not callable(wait) and _not_a_wait(wait):
            raise _refuse("retry_on", "a RetryOn whose wait is seconds or a function", wait)
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
            raise _refuse("retry_on", "a RetryOn of 1 or more attempts", attempts)
        if queue is not None and not _is_text(queue):
            raise _refuse("retry_on", "a RetryOn with the name of a queue", queue)
        for name, value in {
            "exceptions": exceptions,
            "wait": wait,
            "attempts": attempts,
            "queue": queue,
        }.items():
            object.__setattr__(self, name, value)


def _not_a_wait(wait: Any) -> bool:
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    return not _is_number(seconds) or not 0 <= seconds <= LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """Options of one job, complete. `dataclasses.replace` gives a changed copy.

    Raises:
        ConfigurationError: an option is not usable; the text names it and what it must be.
    """

    queue: str = "default"
    """Where the job goes."""
    retry: bool | int = True
    """Retries after a failure: True is the default (25), False is none and no dead set, 0 is dead at once."""
    retry_for: float | None = None
    """Seconds from the first failure in which the job is retried, instead of a number of times."""
    retry_queue: str | None = None
    """Where retries go; None for the queue that the job was fetched from."""
    dead: bool = True
    """Keep the job in the dead set when its retries are used up."""
    backtrace: bool | int = False
    """Keep the lines of the error: all of them, or so many."""
    tags: tuple[str, ...] = ()
    """Labels, for people."""
    timeout: float | None = None
    """Seconds after which `JobTimeout` is raised inside the job."""
    expires_in: float | None = None
    """Seconds after which a job that has not begun is discarded, from when it is to run."""
    on_commit: bool = True
    """Push after the open database transactions commit."""
    outbox: bool = False
    """Keep it in the database, with the rows of its transaction, until Redis has it."""
    wait_replicas: int = 0
    """Replicas of Redis that must have it before its push counts as done."""
    retry_in: Callable[..., Any] | None = None
    """`retry_in(count, error)`: seconds until the next retry, `Discard` or `Kill`, or None for the usual
    delay. `count` is 0 before the first retry."""
    retry_on: tuple[RetryOn, ...] = ()
    """Rules for certain errors; the first that fits counts."""
    discard_on: tuple[type[BaseException], ...] = ()
    """Errors that end the job: no retry, no dead set."""
    retries_exhausted: Callable[..., Any] | None = None
    """`retries_exhausted(payload, error)`, called before the job is dead; answering `Discard` discards it."""
    redact: tuple[str, ...] = ()
    """Names of parameters, and of keys inside of arguments, whose values people do not see."""
    aliases: tuple[str, ...] = ()
    """Former names of the job: what was enqueued under one of them runs as this job."""
    result: float | None = None
    """Seconds that what the job returns is kept, for `handle.result()`; None throws it away. True is a day."""
    partition_by: str | None = None
    """A parameter; jobs with the same value of it keep their order, in a queue that has partitions."""
    partition_key: str | None = None
    """The same by a text of one's own."""
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING, hash=False)
    """Options owned by features."""

    def __post_init__(self) -> None:
        for name in ("tags", "retry_on", "discard_on", "redact", "aliases"):
            object.__setattr__(self, name, _as_tuple(getattr(self, name)))
        object.__setattr__(self, "result", _as_seconds(self.result))
        for name, (usable, wanted) in CHECKS.items():
            value = getattr(self, name)
            if not usable(value):
                raise _refuse(name, wanted, value)


def _as_tuple(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, RetryOn) or _is_error_class(value) else value


def _as_seconds(value: Any) -> Any:
    if isinstance(value, bool):
        return DAY if value else None
    return value.total_seconds() if isinstance(value, timedelta) else value


def _is_flag_or_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_duration(value: Any) -> bool:
    return value is None or (_is_number(value) and 0 < value <= LONGEST)


def _tuple_of(usable: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(usable, value))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_hook(value: Any) -> bool:
    return value is None or callable(value)


CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "queue": (_is_text, "the name of a queue"),
    "retry": (_is_flag_or_count, "True, False or a number of retries"),
    "retry_for": (_is_duration, "seconds (at most 1,000,000,000) or None"),
    "retry_queue": (lambda value: value is None or _is_text(value), "the name of a queue or None"),
    "dead": (_is_flag, "True or False"),
    "backtrace": (_is_flag_or_count, "True, False or a number of lines"),
    "tags": (_tuple_of(_is_text), "a list of texts"),
    "timeout": (_is_duration, "seconds (at most 1,000,000,000) or None"),
    "expires_in": (_is_duration, "seconds (at most 1,000,000,000) or None"),
    "on_commit": (_is_flag, "True or False"),
    "outbox": (_is_flag, "True or False"),
    "wait_replicas": (_is_count, "a number of replicas"),
    "retry_in": (_is_hook, "a function of the retry number and the error"),
    "retry_on": (_tuple_of(lambda rule: isinstance(rule, RetryOn)), "a list of RetryOn(SomeError, ...)"),
    "discard_on": (_tuple_of(_is_error_class), "a list of exception classes"),
    "retries_exhausted": (_is_hook, "a function of the payload and the error"),
    "redact": (_tuple_of(_is_text), "a list of names"),
    "aliases": (_tuple_of(_is_text), "a list of names"),
    "result": (_is_duration, "seconds, a timedelta, True (a day) or None"),
    "partition_by": (lambda value: value is None or _is_text(value), "the name of a parameter or None"),
    "partition_key": (lambda value: value is None or _is_text(value), "a text or None"),
    "extra": (lambda value: isinstance(value, Mapping), "a dict"),
}
