"""What charts are made of: points that go in, and what all drawings have."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kiq_django.admin import formats


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in a stretch of time that begins at `at` (aware)."""

    at: datetime
    ok: float
    failed: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth knowing, such as a deploy."""

    at: datetime
    label: str


@dataclass(frozen=True, slots=True)
class Part:
    """One share of a whole. `tone`: ok, warn, bad, info or idle; empty for shades of one colour."""

    label: str
    value: float
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A stretch of time in a heat map: how many fell into each bucket."""

    at: datetime
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a drawing, for those who cannot see it or want them exact."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis. `place`: percent on the time axis, pixels from the top on the other."""

    place: float
    label: str
    anchor: str = ""
    """`start`, `end`, or empty for the middle: where the text lies, so that the outermost stay inside."""
    minor: bool = False
    """Left out on small screens."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An invisible strip that shows its numbers when somebody points at it."""

    x: float
    width: float
    title: str


HIGHEST = 1e18
"""No counter of Redis counts further; what claims to be more is drawn as this."""


def clean(value: float) -> float:
    """A number that can be drawn: what is none, or below 0, counts as 0."""
    return min(float(min(value, HIGHEST)), HIGHEST) if value > 0 else 0.0


def rounded(value: float) -> float:
    """A coordinate, short enough for a page."""
    return round(value, 2)


def numbers(values: Iterable[float]) -> tuple[str, ...]:
    """Numbers as people read them."""
    return tuple(formats.number(round(clean(value))) for value in values)
