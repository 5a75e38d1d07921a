"""A handler that keeps no thread waiting."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from kiq_django.log.formatters import JobFormatter, TextFormatter
from kiq_django.log.job_context import JobContextFilter
from kiq_django.log.lines import Line, failure


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
        return isinstance(self.formatter, JobFormatter) and all(isinstance(f, JobContextFilter) for f in self.filters)

    def emit_lines(self, lines: Sequence[Line], *, info: bool) -> None:
        """All lines of a batch, with a warning below each failure; `info` False leaves the warnings alone."""
        pid, texts = os.getpid(), []
        form = self.formatter if info and self.level <= logging.INFO else None
        write = form.job_line if isinstance(form, JobFormatter) else None
        for line in lines:
            if write is not None:
                texts.append(write(line, pid))
            outcome = line[2]
            if outcome is not None and outcome.error is not None:
                warning = failure(line)
                if warning is not None and self.level <= logging.WARNING:
                    texts.append(self.format(warning))
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
