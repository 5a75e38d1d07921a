"""What people read: aligned tables, ages, questions. Data of jobs can do nothing to the terminal."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.core.management.color import Style

from kiq_django import clock

GAP = "  "
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
Cell = str | int


class Terminal:
    """Where a command writes to and asks."""

    def __init__(self, out: OutputWrapper, style: Style) -> None:
        self._out = out
        self.style = style

    def say(self, text: str = "") -> None:
        """Write one line."""
        self._out.write(text)

    def json(self, value: Any) -> None:
        """Write a value for programs."""
        self._out.write(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows in columns: numbers to the right, in groups of three digits. Empty headers are left out."""
        for line in columns([headers, *rows])[0 if any(headers) else 1 :]:
            self.say(line)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask, unless `yes` says that it is decided.

        Raises:
            CommandError: the answer is no, or there is nobody to ask.
        """
        if yes:
            return
        try:
            answer = input(f"{question} [y/N] ")
        except EOFError:
            raise CommandError(f"{question} Nobody is here to answer: say --yes. Nothing was done.") from None
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was done.")


def columns(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Rows as aligned lines, the headers first: numbers to the right, in groups of three digits."""
    headers, *body = rows
    cells = [[f"{cell:,}" if isinstance(cell, int) else printable(cell) for cell in row] for row in body]
    to_the_right = [all(isinstance(cell, int) for cell in column) for column in zip(*body, strict=True)]
    widths = [max(map(width, column)) for column in zip(map(str, headers), *cells, strict=True)]
    lines = [[str(header) for header in headers], *cells]
    return [GAP.join(map(_pad, line, widths, to_the_right or [False] * len(line))).rstrip() for line in lines]


def cut(line: str, most: int) -> str:
    """As much of a line as fits into so many columns."""
    while width(line) > most:
        line = line[: max(0, len(line) - max(1, (width(line) - most) // 2))]
    return line


def printable(text: str, limit: int | None = None) -> str:
    """A text on one line, without anything that a terminal obeys, and cut where it is too long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def width(text: str) -> int:
    """Columns that a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `5 h`, `9 d`."""
    for unit, name in UNITS:
        if seconds >= 2 * unit or (name == "s" and seconds >= 1):
            return f"{seconds / unit:,.0f} {name}"
    return "0 s" if seconds <= 0 else "<1 s"


def relative(moment: float | None) -> str:
    """`3 min ago`, `in 5 h`; epoch seconds."""
    if moment is None:
        return ""
    ahead = moment - clock.now()
    if abs(ahead) < 1:
        return "now"
    return f"in {duration(ahead)}" if ahead > 0 else f"{duration(-ahead)} ago"


def iso(moment: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC; None for what is no time."""
    try:
        return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def count(number: int, thing: str) -> str:
    """`1 job`, `2,000 jobs`."""
    plural = {"process": "processes"}.get(thing, f"{thing}s")
    return f"{number:,} {thing if number == 1 else plural}"


def _pad(text: str, columns: int, right: bool) -> str:
    space = " " * (columns - width(text))
    return space + text if right else text + space
