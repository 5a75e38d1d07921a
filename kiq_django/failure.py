"""What is kept of a failure in the job itself, and by what two failures are told to be of one kind.

Total, as everything around a failing job: an exception that cannot be printed, or that lies about itself, is recorded
as well as it can be.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from kiq_django import backtrace
from kiq_django.payload import ABSENT, Payload

FRAME: Final = "error_frame"
"""Our own field: the innermost frame of the project; Ruby ignores it."""
MESSAGE_CHARACTERS: Final = 10_000
TOLD_APART_BY: Final = 300
"""Characters of a name, a class of errors and a frame that count: payloads of others may hold anything."""
PATTERN_CHARACTERS: Final = 200
_VARIABLE = re.compile(
    r"""(?P<quoted> (?<!\w) (?: '[^']*' | "[^"]*" | `[^`]*` ) (?!\w) )
      | \b[0-9a-fA-F]{8} (?: -[0-9a-fA-F]{4} ){3} -[0-9a-fA-F]{12}\b
      | \b0[xX][0-9a-fA-F]+\b
      | \b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b
      | \d+ (?: [.,:]\d+ )*""",
    re.VERBOSE,
)
_LINE = re.compile(r":\d+ in ")


def recorded(
    payload: Payload,
    error: BaseException,
    *,
    count: int,
    queue: str,
    now: float,
    lines: bool | int = False,
    roots: Sequence[str] = (),
) -> Payload:
    """The job with the error fields of one more failure.

    Args:
        payload: the job as it was fetched.
        error: what it raised.
        count: its `retry_count` from now on.
        queue: where it goes.
        now: epoch seconds.
        lines: how much of the traceback is kept inside.
        roots: folders of the project, as `backtrace.frame_of` wants them.
    """
    fields: dict[str, Any] = {
        "queue": queue,
        "error_class": ask("", _class_name, error)[0] or "Exception",
        "error_message": _message(error),
        "retry_count": count,
    }
    if payload.retry_count is not None:
        fields["retried_at"] = float(now)
    if payload.retry_count is None or payload.failed_at is None:
        fields["failed_at"] = float(now)  # readers, and retry_for, count on it beside a retry_count
    if "at" in payload.document:
        fields["at"] = ABSENT  # left inside, it would send a retry by Sidekiq back to the schedule
    if frame := ask("", backtrace.frame_of, error, roots)[0]:
        fields[FRAME] = frame
    elif FRAME in payload.document:
        fields[FRAME] = ABSENT  # of an earlier error, which came from somewhere else
    if packed := ask("", _packed_backtrace, error, lines)[0]:
        fields["error_backtrace"] = packed
    failed = payload.evolve(**fields)
    ask("", failed.encode)  # its bytes are kept from here on, so that no hook can make it unwritable
    return failed


def _class_name(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _message(error: BaseException) -> str:
    text, trouble = ask("its __str__", lambda: _scrub(str(error)[:MESSAGE_CHARACTERS]))
    return f"(this error has no readable message{trouble})" if trouble else text


def _scrub(text: str) -> str:
    """Replace half characters, which no JSON reader takes."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _packed_backtrace(error: BaseException, limit: bool | int) -> str:
    lines = backtrace.lines_of(error, limit)
    return backtrace.encode(lines) if lines else ""


# --- of one kind ---

Kind = tuple[str, str, str]
"""Name of the job for people, class of the error, frame: what tells one kind of failure from another."""
UNREADABLE: Final[Kind] = ("", "", "")
"""Of bytes that are no job: a job has a name."""


def kind_of(payload: Payload | None) -> Kind:
    """The kind of a job's last failure. A job of Ruby has no frame, one that was killed by hand has no error either."""
    if payload is None:
        return UNREADABLE
    name, document = payload.display_name, payload.document
    error, frame = document.get("error_class"), document.get(FRAME)
    return (
        name[:TOLD_APART_BY],
        "" if error is None else str(error)[:TOLD_APART_BY],
        frame[:TOLD_APART_BY] if type(frame) is str else "",
    )


def fingerprint(kind: Kind) -> str:
    """12 hex digits that are the same for all failures of a kind, everywhere and after every deploy.

    The number of the line does not count, because any change above it moves it.
    """
    name, error, frame = kind
    text = "\0".join((name, error, _LINE.sub(" in ", frame)))
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:12]


def pattern(message: str) -> str:
    """The first line of a message without what changes from one job to the next: `no order # for "…"`."""
    line = next((line for line in message[:1000].splitlines() if line.strip()), "")
    return _VARIABLE.sub(_placeholder, line[: 2 * PATTERN_CHARACTERS])[:PATTERN_CHARACTERS].strip()


def _placeholder(found: "re.Match[str]") -> str:
    quoted = found["quoted"]
    return f"{quoted[0]}…{quoted[-1]}" if quoted else "#"


# --- strangers' code ---


def ask(name: str, hook: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Call code that is not ours; whatever it does, the job gets its decision.

    Returns:
        The answer and "", or None and a note about the error for the decision's reason.
    """
    try:
        return hook(*arguments), ""
    except BaseException as trouble:  # noqa: BLE001 - also SystemExit: the job counts, not the hook
        return None, f"; {name} raised {type(trouble).__name__}"
