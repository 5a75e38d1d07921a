"""A worker's lines made visible, beside what the project's own `LOGGING` says."""

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from kiq_django.log.formatters import FORMATTERS, Format
from kiq_django.log.handler import BatchHandler
from kiq_django.log.job_context import JobContextFilter
from kiq_django.log.lines import logger
from kiq_django.log.telling import listening


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
    if not listening():
        root.addHandler(_form(BatchHandler(), format or "text", [_Unclaimed()]))
    if verbosity != 1 or ours.level == logging.NOTSET:
        ours.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG))
    _look_after_our_loggers(root.manager)


class _Unclaimed(JobContextFilter):
    """For a handler on the root: records that no logger below has a handler for, so that no line comes twice."""

    def filter(self, record: logging.LogRecord) -> bool:
        each: logging.Logger | None = logging.getLogger(record.name)
        while each is not None and each.parent is not None:
            if each.handlers:
                return False
            each = each.parent
        return super().filter(record)


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
