"""A line about a job's life, and the record that it is for handlers that are not ours."""

import logging

from kiq_django.exceptions import NeverRun, Steer
from kiq_django.execution import Outcome
from kiq_django.log.escaping import one_line, said
from kiq_django.log.subject import Subject
from kiq_django.log.trace import raised

logger = logging.getLogger("kiq_django.job")

Line = tuple[float, Subject, Outcome | None]
"""When, about what, and how it ended; None is its start."""


def told(line: Line) -> logging.LogRecord:
    """A line whose fields stand in its text too: most formats show nothing else."""
    _, subject, outcome = line
    if outcome is None:
        return _record(logging.INFO, line, "start %s", subject.as_text(), word="start")
    if outcome.error is None:
        return _record(logging.INFO, line, "done %s elapsed=%.3f", subject.as_text(), outcome.elapsed, word="done")
    error = said(outcome.error)
    what = (subject.as_text(), outcome.elapsed, error)
    record = _record(logging.INFO, line, "fail %s elapsed=%.3f: %s", *what, word="fail")
    record.__dict__["kiq"]["error"] = error
    return record


def failure(line: Line) -> logging.LogRecord | None:
    """A failure with its traceback. What a job says by `Discard` or `Kill` is no accident."""
    outcome = line[2]
    error = None if outcome is None else outcome.error
    if outcome is None or error is None or isinstance(error, Steer):
        return None
    count = outcome.payload.retry_count
    attempt = 1 if count is None else count + 2
    fate = f"; {one_line(outcome.fate)}" if outcome.fate else ""
    record = _record(logging.WARNING, line, "%s (attempt %d%s)", said(error), attempt, fate)
    if not isinstance(error, NeverRun):
        record.exc_info = raised(error)
    return record


def _record(level: int, line: Line, message: str, *args: object, word: str = "") -> logging.LogRecord:
    """A record for handlers that are not ours, dated back to when it happened."""
    moment, subject, outcome = line
    context = subject.context()
    if outcome is not None:
        context["elapsed"] = round(outcome.elapsed, 3)
    record = logger.makeRecord(logger.name, level, "", 0, message, args, None)
    record.created, record.msecs = moment, moment % 1 * 1000
    record.__dict__.update(kiq=context, tid=subject.tid, word=word)
    return record
