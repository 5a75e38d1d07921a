"""A line for any record: text, or Sidekiq's JSON."""

import json
import logging
import time
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Literal

from kiq_django.log.escaping import one_line, said
from kiq_django.log.lines import Line
from kiq_django.log.subject import FIELDS
from kiq_django.redaction import redact_text

Format = Literal["text", "json"]
INDENT = "    "


class JobFormatter(logging.Formatter):
    """A line for any record; a line about a job even without one. Errors and tracebacks are without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """As `_line` writes it. Our records say more by `kiq` (the job), `tid`, `word` (the message), `traced`."""
        given = record.__dict__
        context, tid = given.get("kiq") or {}, given.get("tid", "0")
        if given.get("traced"):
            return self._line(record, record.getMessage(), tid, context, "")
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        trace = redact_text("\n".join(filter(None, (record.exc_text, record.stack_info))))
        return self._line(record, given.get("word") or record.getMessage(), tid, context, trace)

    def _line(self, record: logging.LogRecord, message: str, tid: str, job: Mapping[str, Any], trace: str) -> str:
        raise NotImplementedError

    def job_line(self, line: Line, pid: int) -> str:
        """What `format` would make of the record of this line, without making it."""
        raise NotImplementedError


class TextFormatter(JobFormatter):
    """`<time> pid= tid= [class= jid= queue= tags= elapsed=] LEVEL: message`, a traceback indented below.

    Lines of loggers that are not ours name the logger before the message.
    """

    def job_line(self, line: Line, pid: int) -> str:
        moment, subject, outcome = line
        about = f"{_stamp(int(moment * 1000))} pid={pid} tid={subject.tid} {subject.text or subject.as_text()}"
        if outcome is None:
            return f"{about} INFO: start"
        if outcome.error is None:
            return f"{about} elapsed={_seconds(outcome.elapsed)} INFO: done"
        return f"{about} elapsed={_seconds(outcome.elapsed)} INFO: fail: {said(outcome.error)}"

    def _line(self, record: logging.LogRecord, message: str, tid: str, job: Mapping[str, Any], trace: str) -> str:
        fields = "".join(f" {name}={_flat(job[name])}" for name in FIELDS if name in job)
        origin = "" if record.name.startswith("kiq_django") else f"{record.name}: "
        error = f": {job['error']}" if "error" in job else ""
        start = f"{stamp(record.created)} pid={record.process} tid={tid}{fields} {record.levelname}: "
        below = trace.split("\n") if trace else ()
        return f"\n{INDENT}".join(map(one_line, (f"{start}{origin}{message}{error}", *below)))


class JsonFormatter(JobFormatter):
    """Sidekiq's `ts`, `pid`, `tid`, `lvl`, `msg` and `ctx`; `logger` if it is not ours, `trace` of an error."""

    def job_line(self, line: Line, pid: int) -> str:
        moment, subject, outcome = line
        head = f'{{"ts":"{stamp(moment)}","pid":{pid},"tid":"{subject.tid}","lvl":"INFO","msg":'
        if outcome is None:
            return f'{head}"start","ctx":{{{subject.as_json()}}}}}'
        ctx = f'"ctx":{{{subject.as_json()},"elapsed":{_seconds(outcome.elapsed)}'
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


FORMATTERS: Mapping[Format, type[JobFormatter]] = {"text": TextFormatter, "json": JsonFormatter}


@lru_cache(maxsize=1_000)
def _stamp(millisecond: int) -> str:
    second, rest = divmod(millisecond, 1000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{rest:03d}Z", time.gmtime(second))


def stamp(moment: float) -> str:
    """Epoch seconds as `2026-11-22T17:00:00.123Z`."""
    return _stamp(int(moment * 1000))


def _seconds(elapsed: float) -> str:
    """With milliseconds. To write a float costs more than the rest of the line, and quick jobs all take the same."""
    return "0.000" if 0 <= elapsed < 0.0005 else f"{elapsed:.3f}"


def _flat(value: Any) -> str:
    if type(value) is list:
        return ",".join(value)
    return f"{value:.3f}" if type(value) is float else str(value)
