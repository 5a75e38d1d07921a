"""What an error of redis-py means for us, and how people are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import redis

from kiq_django.exceptions import StoreError, StoreRefused, StoreUnavailable

Trouble = Literal["away", "loading", "readonly", "full", "misconf", "auth", "other"]

WORDS: tuple[tuple[str, Trouble], ...] = (
    ("LOADING ", "loading"),
    ("MISCONF ", "misconf"),
    ("OOM command not allowed", "full"),
    ("READONLY ", "readonly"),
    ("UNBLOCKED ", "readonly"),
    ("MASTERDOWN ", "readonly"),
    ("NOREPLICAS ", "readonly"),
    ("previous master is now a slave", "readonly"),
    ("NOAUTH ", "auth"),
    ("WRONGPASS ", "auth"),
    ("NOPERM ", "auth"),
    ("The user executing the script can't", "auth"),
)
"""Codes that redis-py has no class for, or that a script or a transaction wrapped into its own error text."""

TYPES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Trouble], ...] = (
    (redis.exceptions.BusyLoadingError, "loading"),
    (
        (
            redis.exceptions.AuthenticationError,
            redis.exceptions.AuthorizationError,
            redis.exceptions.AuthenticationWrongNumberOfArgsError,
            redis.exceptions.NoPermissionError,
        ),
        "auth",
    ),
    (redis.exceptions.OutOfMemoryError, "full"),
    ((redis.exceptions.ReadOnlyError, redis.exceptions.MasterDownError), "readonly"),
    ((redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError), "away"),
)
"""In this order: the special ones derive from ConnectionError."""

SENTENCES: dict[Trouble, str] = {
    "away": "cannot be reached: {reason}. Check that it runs, and its address in KIQ['REDIS'] or REDIS_URL",
    "loading": "is loading its data. Try again in a moment",
    "readonly": "does not accept writes now: it is a replica, or a failover is under way. "
    "Point KIQ['REDIS'] at the master, or at the sentinels",
    "full": "is full (maxmemory); nothing was written. Give it more memory, or let workers drain the queues",
    "misconf": "refuses writes because it cannot save its data to disk. See the server's log: a full disk, "
    "or a directory that it may not write",
    "auth": "refused the user, the password or the permission: {reason}. Check KIQ['REDIS'] or REDIS_URL",
    "other": "answered with an error: {reason}",
}


def classify(error: BaseException) -> Trouble:
    """What kind of trouble an error of redis-py (or of the socket below it) is."""
    text = _said(error)
    for words, trouble in WORDS:
        if words in text:
            return trouble
    for types, trouble in TYPES:
        if isinstance(error, types):
            return trouble
    return "other"


def must_disconnect(error: BaseException) -> bool:
    """Whether the connection leads to the wrong server (a demoted master): it must be opened anew.

    redis-py keeps a plain connection open after these.
    """
    return classify(error) == "readonly"


def translate(error: BaseException, label: object = "Redis") -> StoreError:
    """Our error for one of redis-py: who (without password), what happened, what to do.

    `label` is the `Target`, or its text. Raise the answer `from error`.
    """
    if isinstance(error, StoreError):
        return error
    trouble = classify(error)
    subject = "Redis" if str(label) == "Redis" else f"Redis at {label}"
    message = f"{subject} {SENTENCES[trouble].format(reason=_reason(error))}."
    return _class_of(trouble)(message)


def _class_of(trouble: Trouble) -> type[StoreError]:
    if trouble in ("away", "loading"):
        return StoreUnavailable
    return StoreError if trouble == "other" else StoreRefused


@contextmanager
def translated(label: object = "Redis") -> Iterator[None]:
    """Raise errors of redis-py inside the block as ours.

    Raises:
        StoreUnavailable: Redis is away or loading.
        StoreRefused: Redis refused; nothing was written.
        StoreError: Redis answered with another error.
    """
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise translate(error, label) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, redis.exceptions.TimeoutError | TimeoutError):
        return "no answer within the time limit"
    return " ".join(_said(error).split())[:200].rstrip(".") or type(error).__name__


def _said(error: BaseException) -> str:
    """The server's words alone: a pipeline puts the command before them, with all its arguments."""
    return str(error).rpartition("caused error: ")[2]
