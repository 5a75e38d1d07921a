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
FIELDS = ("class", "jid", "queue", "tags", "elapsed")
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


@lru_cache(maxsize=1_000)
def _stamp(millisecond: int) -> str:
    second, rest = divmod(millisecond, 1000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{rest:03d}Z", time.gmtime(second))


def stamp(moment: float) -> str:
    """Epoch seconds as `2026-11-22T17:00:00.123Z`."""
    return _stamp(int(moment * 1000))


# --- a line about a job ---


class Subject:
    """The job that lines are about, fit to be written. Made once for all its lines."""

    __slots__ = ("jid", "json", "name", "payload", "queue", "tags", "text", "tid")

    def __init__(self, payload: Payload, queue: str, thread: int) -> None:
        document = payload.document
        jid: str = document["jid"]
        name = payload.display_name if "wrapped" in document or "display_class" in document else document["class"]
        together = f"{name}{jid}{queue}"
        if not together.isprintable() or " " in together or len(together) > FIELD_CHARACTERS:
            name, jid, queue = one_field(name), one_field(jid), one_field(queue)
        self.name, self.jid, self.queue, self.tid = name, jid, queue, f"{thread:x}"
        self.tags = [one_field(tag) for tag in payload.tags] if "tags" in document else []
        self.payload = payload
        self.text = self.json = ""

    def context(self) -> dict[str, Any]:
        """What a record carries as `kiq`."""
        found: dict[str, Any] = {"class": self.name, "jid": self.jid, "queue": self.queue}
        return {**found, "tags": self.tags} if self.tags else found

    def as_text(self) -> str:
        """`class=... jid=... queue=... tags=...`"""
        if not self.text:
            self.text = f"class={self.name} jid={self.jid} queue={self.queue}"
            if self.tags:
                self.text += f" tags={','.join(self.tags)}"
        return self.text

    def as_json(self) -> str:
        """The same as members of an object."""
        if not self.json:
            self.json = f'"class":{quoted(self.name)},"jid":{quoted(self.jid)},"queue":{quoted(self.queue)}'
            if self.tags:
                self.json += f',"tags":{json.dumps(self.tags)}'
        return self.json


Line = tuple[float, Subject, Outcome | None]
"""When, about what, and how it ended; None is its start."""


def _flat(value: Any) -> str:
    if type(value) is list:
        return ",".join(value)
    return f"{value:.3f}" if type(value) is float else str(value)


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


def _told(line: Line) -> logging.LogRecord:
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


def _failure(line: Line) -> logging.LogRecord | None:
    """A failure with its traceback. What a job says by `Discard` or `Kill` is no accident."""
    outcome = line[2]
    error = None if outcome is None else outcome.error
    if outcome is None or error is None or isinstance(error, Steer):
        return None
    count = outcome.payload.retry_count
    attempt = 1 if count is None else count + 2
    fate = f"; {outcome.fate}" if outcome.fate else ""
    record = _record(logging.WARNING, line, "%s (attempt %d%s)", said(error), attempt, fate)
    if not isinstance(error, UnknownJob):
        record.exc_info = (type(error), error, error.__traceback__)
    return record


# --- formatters, a filter and a handler, for anybody's LOGGING ---


class JobContextFilter(logging.Filter):
    """For handlers: a record made inside a running job gets `jid`, `class`, `queue`, `tags`, and all in one as `kiq`.

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


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """A line for any record. Ours say more by `kiq` (the job), `tid`, `word` (the message), `traced`."""
        given = record.__dict__
        context, tid = given.get("kiq") or {}, given.get("tid", "0")
        if given.get("traced"):
            return self._line(record, record.getMessage(), tid, context, "")
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        trace = "\n".join(filter(None, (record.exc_text, record.stack_info)))
        return self._line(record, given.get("word") or record.getMessage(), tid, context, trace)

    def _line(self, record: logging.LogRecord, message: str, tid: str, job: Mapping[str, Any], trace: str) -> str:
        raise NotImplementedError

    def job_line(self, line: Line, pid: int) -> str:
        """What `format` would make of `_told(line)`, without a record."""
        raise NotImplementedError


class TextFormatter(_Formatter):
    """`<time> pid= tid= [class= jid= queue= tags= elapsed=] LEVEL: message`, a traceback indented below.

    Lines of loggers that are not ours name the logger before the message.
    """

    def job_line(self, line: Line, pid: int) -> str:
        moment, subject, outcome = line
        about = f"{stamp(moment)} pid={pid} tid={subject.tid} {subject.as_text()}"
        if outcome is None:
            return f"{about} INFO: start"
        if outcome.error is None:
            return f"{about} elapsed={outcome.elapsed:.3f} INFO: done"
        return f"{about} elapsed={outcome.elapsed:.3f} INFO: fail: {said(outcome.error)}"

    def _line(self, record: logging.LogRecord, message: str, tid: str, job: Mapping[str, Any], trace: str) -> str:
        fields = "".join(f" {name}={_flat(job[name])}" for name in FIELDS if name in job)
        origin = "" if record.name.startswith("kiq_django") else f"{record.name}: "
        error = f": {job['error']}" if "error" in job else ""
        start = f"{stamp(record.created)} pid={record.process} tid={tid}{fields} {record.levelname}: "
        below = trace.split("\n") if trace else ()
        return f"\n{INDENT}".join(map(one_line, (f"{start}{origin}{message}{error}", *below)))


class JsonFormatter(_Formatter):
    """Sidekiq's `ts`, `pid`, `tid`, `lvl`, `msg` and `ctx`; `logger` if it is not ours, `trace` of an error."""

    def job_line(self, line: Line, pid: int) -> str:
        moment, subject, outcome = line
        head = f'{{"ts":"{stamp(moment)}","pid":{pid},"tid":"{subject.tid}","lvl":"INFO","msg":'
        if outcome is None:
            return f'{head}"start","ctx":{{{subject.as_json()}}}}}'
        ctx = f'"ctx":{{{subject.as_json()},"elapsed":{outcome.elapsed:.3f}'
        if outcome.error is None:
            return f'{head}"done",{ctx}}}}}'
        return f'{head}"fail",{ctx},"error":{quoted(said(outcome.error))}}}}}'

    def _line(self, record: logging.LogRecord, message: str, tid: str, job: Mapping[str, Any], trace: str) -> str:
        content: dict[str, Any] = {
            "ts": stamp(record.created),
            "pid": record.process,
            "tid": tid,
            "lvl": record.levelname,
        }
        content |= {"msg": message, "ctx": dict(job), "trace": trace}
        if not record.name.startswith("kiq_django"):
            content["logger"] = record.name
        return json.dumps({name: value for name, value in content.items() if value or name == "msg"}, default=str)


FORMATTERS: Mapping[Format, type[_Formatter]] = {"text": TextFormatter, "json": JsonFormatter}


class BatchHandler(logging.Handler):
    """Writes to stderr, a record or all lines of a batch by one write to the system, and needs no lock for it.

    A stream that is closed, full or gone is none of the job's business: such lines are lost.
    """

    def __init__(self, stream: TextIO | None = None, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self.stream = stream
        self.formatter = TextFormatter()
        self.addFilter(JobContextFilter())

    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        found = self.filter(record)
        if found:
            self.emit(found if isinstance(found, logging.LogRecord) else record)
        return found

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - arguments that do not fit their format: logging's own way to say so
            self.handleError(record)
        else:
            self._write([text])

    @property
    def takes_lines(self) -> bool:
        """Whether `emit_lines` does what `handle` would: formatter and filters are ours."""
        return isinstance(self.formatter, _Formatter) and all(isinstance(f, JobContextFilter) for f in self.filters)

    def emit_lines(self, lines: Sequence[Line], *, info: bool) -> None:
        """All lines of a batch, with a warning below each failure; `info` False leaves the warnings alone."""
        pid, texts = os.getpid(), []
        form = self.formatter if info and self.level <= logging.INFO else None
        for line in lines:
            if isinstance(form, _Formatter):
                texts.append(form.job_line(line, pid))
            if line[2] is not None and line[2].error is not None:
                failure = _failure(line)
                if failure is not None and self.level <= logging.WARNING:
                    texts.append(self.format(failure))
        if texts:
            self._write(texts)

    def _write(self, texts: Sequence[str]) -> None:
        with suppress(OSError, ValueError, AttributeError):
            _pour(self.stream or sys.stderr, "\n".join(texts) + "\n")


def _pour(stream: TextIO, text: str) -> None:
    """Past Python's buffer, whose lock a thread may hold that the interpreter has stopped at exit."""
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:
        stream.write(text)
        stream.flush()
        return
    data = memoryview(text.encode("utf-8", "backslashreplace"))
    while data:
        data = data[os.write(descriptor, data) :]


def tell(lines: Sequence[Line]) -> None:
    """Hand lines to whatever handlers the project has for `kiq_django.job`. Never raises."""
    info = logger.isEnabledFor(logging.INFO)
    if not logger.isEnabledFor(logging.WARNING):
        return
    handlers = _handlers()
    with suppress(Exception):
        if handlers and not logger.filters and all(type(h) is BatchHandler and h.takes_lines for h in handlers):
            for handler in handlers:
                handler.emit_lines(lines, info=info)
            return
        for line in lines:
            for record in (_told(line) if info else None, _failure(line)):
                if record is not None:
                    logger.handle(record)


def _handlers() -> list[Any]:
    found: list[logging.Handler] = []
    each: logging.Logger | None = logger
    while each is not None:
        found += each.handlers
        each = each.parent if each.propagate else None
    return found


# --- the worker's journal ---


class JobJournal:
    """`kiq_django.worker.journal.Journal`: the lines `start`, `done` and `fail`. Several fetchers may share it."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int, Payload, str] | Outcome] = deque()
        self._running: dict[int, Subject] = {}
        self._lock = threading.Lock()

    def started(self, payload: Payload, queue: str) -> None:
        """Note a start, in the thread that runs the job."""
        self._noted.append((clock.now(), threading.get_native_id(), payload, queue))

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """Note ends."""
        self._noted.extend(outcomes)

    def flush(self) -> None:
        """Write what was noted. The lock is between fetchers; no thread of a job ever takes it."""
        if self._noted:
            with self._lock, suppress(Exception):
                tell([self._line(self._noted.popleft()) for _ in range(len(self._noted))])

    def _line(self, noted: tuple[float, int, Payload, str] | Outcome) -> Line:
        if isinstance(noted, tuple):
            moment, thread, payload, queue = noted
            if len(self._running) >= MOST_RUNNING:
                self._running.clear()
            subject = self._running[id(payload)] = Subject(payload, queue, thread)
            return moment, subject, None
        known = self._running.pop(id(noted.payload), None)
        return noted.started_at + noted.elapsed, known or Subject(noted.payload, noted.queue, 0), noted


def journal() -> JobJournal | None:
    """What a launcher gets; also lets failures and deaths be told.

    None where the level of `kiq_django.job` is above INFO: then jobs cost no line, and failures are told all the same.
    """
    signals.job_dead.connect(_died, dispatch_uid="kiq_django.log.died")
    if logger.isEnabledFor(logging.INFO):
        signals.jobs_settled.disconnect(dispatch_uid="kiq_django.log.failures")
        return JobJournal()
    signals.jobs_settled.connect(_failures, dispatch_uid="kiq_django.log.failures")
    return None


def _failures(records: Sequence[Outcome], **_: Any) -> None:
    failed = [outcome for outcome in records if outcome.error is not None]
    if failed:
        tell([(o.started_at + o.elapsed, Subject(o.payload, o.queue, 0), o) for o in failed])


def _died(payload: Payload | None, error: BaseException, **_: Any) -> None:
    """ERROR is what mail and error trackers listen to; our own formatters do not print the traceback again."""
    if payload is None:
        logger.error("unreadable, put into the dead set as it is: %s", said(error))
        return
    context = Subject(payload, payload.queue, 0).context()
    if "discarded_at" in payload.document:
        logger.info("discarded: %s", said(error), extra={"kiq": context})
    else:
        trace = (type(error), error, error.__traceback__)
        logger.error("dead: %s", said(error), exc_info=trace, extra={"kiq": context, "traced": True})


# --- the worker's set-up ---


class _Unclaimed(JobContextFilter):
    """For a handler on the root: records that no logger below has a handler for, so that no line comes twice."""

    def filter(self, record: logging.LogRecord) -> bool:
        each: logging.Logger | None = logging.getLogger(record.name)
        while each is not None and each.parent is not None:
            if each.handlers:
                return False
            each = each.parent
        return super().filter(record)


def configure(format: Format | None = None, verbosity: int = 1) -> None:  # noqa: A002
    """Make a worker's lines visible, without a line twice and without taking over the project's `LOGGING`.

    1. No handler in the way of our loggers, neither on `kiq_django` nor on the root: one on the root writes
       what nobody else does to stderr. So lines of the project's own loggers show their job too.
    2. The project has handlers there: they get our lines, in the project's format.
    3. `format` is asked for: handlers there that write to stderr or stdout are replaced by ours, with the same
       level and filters. Files, mail and error trackers stay.

    Args:
        format: `text` or `json`; None leaves it to the project, and is `text` where it has no handlers.
        verbosity: Django's: 0 warnings; 1 job lines, unless `LOGGING` gives `kiq_django` a level; 2 and more, debug.
    """
    root, ours = logging.getLogger(), logging.getLogger("kiq_django")
    if format:
        for each in (root, ours, logger):
            each.handlers[:] = [_in_place_of(h, format) if _is_console(h) else h for h in each.handlers]
    if not _handlers():
        root.addHandler(_form(BatchHandler(), format or "text", [_Unclaimed()]))
    if verbosity != 1 or ours.level == logging.NOTSET:
        ours.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG))
    _look_after_our_loggers(root.manager)


def _look_after_our_loggers(manager: logging.Manager) -> None:
    for name, found in list(manager.loggerDict.items()):
        if isinstance(found, logging.Logger) and name.partition(".")[0] == "kiq_django":
            found.disabled = False  # `disable_existing_loggers`, on where nothing is said, means others
            _shield(found)


def _is_console(handler: logging.Handler) -> bool:
    if not isinstance(handler, logging.StreamHandler | BatchHandler):
        return False
    return handler.stream in (sys.stderr, sys.stdout, None)


def _in_place_of(old: Any, format: Format) -> logging.Handler:  # noqa: A002
    filters = old.filters if isinstance(old, BatchHandler) else [JobContextFilter(), *old.filters]
    return _form(BatchHandler(old.stream, old.level), format, filters)


def _form(handler: BatchHandler, format: Format, filters: Sequence[Any]) -> BatchHandler:  # noqa: A002
    handler.setFormatter(FORMATTERS[format]())
    handler.filters[:] = filters
    return handler


def _shield(target: logging.Logger) -> None:
    """A handler that raises must not end a thread of the engine."""
    unshielded: Callable[[logging.LogRecord], None] = type(target).callHandlers.__get__(target)

    def call_handlers(record: logging.LogRecord) -> None:
        with suppress(Exception):
            unshielded(record)

    target.callHandlers = call_handlers  # type: ignore[method-assign]
