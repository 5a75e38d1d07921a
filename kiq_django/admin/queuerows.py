"""Queues as people look at them: how long, how late, how fast, and how they are in a word."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from kiq_django import durations

if TYPE_CHECKING:
    from kiq_django.api.flow import Flow
    from kiq_django.api.situation import Line, Situation

NEVER = math.inf
MOST_OF_A_NAME = 30
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One row."""

    name: str
    size: int
    latency: float
    is_late: bool
    in_per_minute: float | None
    out_per_minute: float | None
    empty_in: str
    """In words."""
    state: str
    """`paused`, `unserved`, `slow`, `serving` or `idle`."""
    paused_by: str
    threads: int
    """That take jobs from it."""

    @property
    def words(self) -> str:
        """What is said instead of the state's own word; empty for that."""
        return _("paused by %(by)s") % {"by": Truncator(self.paused_by).chars(MOST_OF_A_NAME)} if self.paused_by else ""


def lines_of(lines: Iterable[Line], situation: Situation, flows: Mapping[str, Flow]) -> list[QueueLine]:
    """The rows of some queues, in the order given."""
    return [_line(line, situation, flows.get(line.name)) for line in lines]


def _line(line: Line, situation: Situation, flow: Flow | None) -> QueueLine:
    threads = sum(crew.threads for crew in situation.crews(line.name))
    return QueueLine(
        name=line.name,
        size=line.size,
        latency=line.latency,
        is_late=line.is_late,
        in_per_minute=flow.in_per_minute if flow else None,
        out_per_minute=flow.out_per_minute if flow else None,
        empty_in=_empty_in(line, flow),
        state=_state(line, threads),
        paused_by=str(line.note.get("by") or ""),
        threads=threads,
    )


def _state(line: Line, threads: int) -> str:
    if line.paused:
        return "paused"
    if not threads:
        return "unserved" if line.size else "idle"
    return "slow" if line.is_late else "serving"


def _empty_in(line: Line, flow: Flow | None) -> str:
    if not line.size or flow is None or flow.time_to_empty is None:
        return ""
    return _("never") if flow.time_to_empty == NEVER else durations.human(flow.time_to_empty, 1)
