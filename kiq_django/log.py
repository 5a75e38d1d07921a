"""The lines about jobs' lives, and formatters for every record: text, or Sidekiq's JSON.

A start is noted by the thread that runs the job, which only appends to a deque. The fetcher's thread makes the
lines of a whole batch and writes them at once, so that ten busy threads never queue up for a handler's lock.

No data of a job can forge a line: in text, whatever breaks a line or steers a terminal is escaped, in a field
white space too, and the further lines of a traceback are indented. JSON is one line a record.

A project's own `LOGGING` applies to all of it. For our form and speed in it:
`"handlers": {"jobs": {"class": "kiq_django.log.BatchHandler"}}`; to have `{jid}`, `{class}`, `{queue}` and
`{tags}` in a format of your own: `"filters": {"job": {"()": "kiq_django.log.JobContextFilter"}}`.
"""

import io
import json
import logging
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Literal, TextIO

from kiq_django import clock, signals
from kiq_django.context import current
from kiq_django.exceptions import Steer, UnknownJob
from kiq_django.execution import Outcome
from kiq_django.payload import Payload

Format = Literal["text", "json"]
FIELDS = ("class", "jid", "queue", "tags")
FIELD_CHARACTERS = 256
MESSAGE_CHARACTERS = 1_000
"""Of an error, in our lines about it."""
INDENT = "    "
MOST_RUNNING = 20_000
"""Jobs that are known to run; beyond it some must have been taken from us, and their ends never came."""

logger = logging.getLogger("kiq_django.job")


# --- what data may not do ---

_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_A_LINE = re.compile(f"[{_CONTROL}]")
_IN_A_FIELD = re.compile(rf"[{_CONTROL}\s]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _escape(found: re.Match[str]) -> str:
    number = ord(found.group())
    return _SHORT.get(found.group()) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def one_line(text: str) -> str:
    """Text that stays on its line: line breaks, escape and other control characters are spelled out."""
    return text if text.isprintable() else _IN_A_LINE.sub(_escape, text)


def one_field(text: str) -> str:
    """The same, and nothing in it can be taken for the next field."""
    return _IN_A_FIELD.sub(_escape, text[:FIELD_CHARACTERS])


def said(error: BaseException) -> str:
    """`ValueError: its text`, cut, on one line, whatever its `__str__` does."""
    try:
        text = str(error)[:MESSAGE_CHARACTERS]
    except BaseException as trouble:  # noqa: BLE001 - a stranger's code
        text = f"its text raised {type(trouble).__name__}"
    return one_line(f"{type(error).__name__}: {text}" if text else type(error).__name__)


@lru_cache(maxsize=8)
def _whole_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def stamp(moment: float) -> str:
    """Epoch seconds as `2026-11-22T17:00:00.123Z`."""
    second = int(moment)
    return f"{_whole_second(second)}.{int((moment - second) * 1000):03d}Z"


# --- a line about a job ---


class Subject:
    """The job that lines are about, fit to be written. Made once for all its lines."""

    __slots__ = ("jid", "name", "payload", "queue", "tags", "thread")

    def __init__(self, payload: Payload, queue: str, thread: int) -> None:
        name, jid = payload.display_name, payload.jid
        together = f"{name}{jid}{queue}"
        if not together.isprintable() or " " in together or len(together) > FIELD_CHARACTERS:
            name, jid, queue = one_field(name), one_field(jid), one_field(queue)
        self.name, self.jid, self.queue, self.thread = name, jid, queue, thread
        self.tags = [one_field(tag) for tag in payload.tags] if "tags" in payload.document else []
        self.payload = payload

    def context(self) -> dict[str, Any]:
        """What a record carries as `kiq`."""
        found: dict[str, Any] = {"class": self.name, "jid": self.jid, "queue": self.queue}
        return {**found, "tags": self.tags} if self.tags else found


Line = tuple[float, Subject, Outcome | None]
"""When, about what, and how it ended; None is its start."""


def _record(level: int, line: Line, message: str, *args: object, **extra: Any) -> logging.LogRecord:
    moment, subject, outcome = line
    error = extra.pop("error", None)
    trace = (type(error), error, error.__traceback__) if error else None
    context = subject.context()
    if outcome is not None:
        context["elapsed"] = round(outcome.elapsed, 3)
    extra |= {"kiq": context, "tid": f"{subject.thread:x}"}
    record = logger.makeRecord(logger.name, level, "", 0, message, args, trace, extra=extra)
    record.created, record.msecs = moment, moment % 1 * 1000
    return record


def _told(line: Line) -> logging.LogRecord:
    """A line as a record for handlers that are not ours; the fields stand in its text too."""
    outcome = line[2]
    record = _record(logging.INFO, line, "%s %s", _word(outcome), "")
    record.args = (_word(outcome), _fields(record.kiq))  # type: ignore[attr-defined]
    record.word = _word(outcome)
    return record


def _word(outcome: Outcome | None) -> str:
    if outcome is None:
        return "start"
    return "done" if outcome.error is None else f"fail: {said(outcome.error)}"


def _fields(context: Mapping[str, Any]) -> str:
    pairs = ((name, ",".join(value) if type(value) is list else value) for name, value in context.items())
    return " ".join(f"{name}={value}" for name, value in pairs)


def _failure(line: Line) -> logging.LogRecord | None:
    """A failure with its traceback. What a job says by `Discard` or `Kill` is no accident."""
    outcome = line[2]
    if outcome is None or outcome.error is None or isinstance(outcome.error, Steer):
        return None
    count = outcome.payload.retry_count
    trace = None if isinstance(outcome.error, UnknownJob) else outcome.error
    attempt = 1 if count is None else count + 2
    return _record(logging.WARNING, line, "%s (attempt %d)", said(outcome.error), attempt, error=trace)


# --- formatters, a filter and a handler, for anybody's LOGGING ---


class JobContextFilter(logging.Filter):
    """For handlers: records made inside a running job get `jid`, `class`, `queue`, `tags`, and all together in `kiq`.

    Outside of jobs they are empty. They are as safe to print as our own lines.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        values = record.__dict__
        if "kiq" not in values:
            job = current.get()
            values["kiq"] = Subject(job.payload, job.queue, 0).context() if job else {}
        values.setdefault("tid", f"{threading.get_native_id():x}")
        for name in FIELDS:
            value = values["kiq"].get(name, "")
            values.setdefault(name, ",".join(value) if type(value) is list else value)
        return True


class TextFormatter(logging.Formatter):
    """`<time> pid= tid= [class= jid= queue= tags= elapsed=] LEVEL: message`, a traceback indented below."""

    def job_line(self, line: Line, pid: int) -> str:
        """What `format` makes of the record of a line, without the record."""
        moment, job, outcome = line
        about = f"{stamp(moment)} pid={pid} tid={job.thread:x} class={job.name} jid={job.jid} queue={job.queue}"
        if job.tags:
            about += f" tags={','.join(job.tags)}"
        if outcome is None:
            return f"{about} INFO: start"
        return f"{about} elapsed={outcome.elapsed:.3f} INFO: {_word(outcome)}"
