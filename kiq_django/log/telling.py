"""From lines to whatever handlers the project has for them."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kiq_django.log.handler import BatchHandler
from kiq_django.log.lines import Line, failure, logger, told


def tell(lines: Sequence[Line]) -> None:
    """Hand lines to whatever handlers the project has for `kiq_django.job`. Never raises."""
    info = logger.isEnabledFor(logging.INFO)
    if not logger.isEnabledFor(logging.WARNING):
        return
    found = listening()
    with suppress(Exception):
        if found and not logger.filters and all(type(h) is BatchHandler and h.takes_lines for h in found):
            for handler in found:
                handler.emit_lines(lines, info=info)
            return
        for line in lines:
            for record in (told(line) if info else None, failure(line)):
                if record is not None:
                    logger.handle(record)


def listening() -> list[Any]:
    """The handlers that a line about a job reaches."""
    found: list[logging.Handler] = []
    each: logging.Logger | None = logger
    while each is not None:
        found += each.handlers
        each = each.parent if each.propagate else None
    return found
