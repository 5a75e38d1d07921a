"""A traceback for people: the project's own frames in the open, what libraries did between them folded away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from kiq_django import backtrace, redaction

LINE = re.compile(r"(?P<path>[^\n]{1,500}):(?P<line>\d{1,9}):in `(?P<function>[^`\n]{1,200})[`']")


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback."""

    path: str
    line: str
    function: str
    is_project: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames that follow each other and are all the project's, or all of libraries."""

    frames: tuple[Frame, ...]
    is_project: bool


def stretches(lines: Sequence[str]) -> list[Stretch]:
    """Lines "file:line:in `name`", innermost first, in that order."""
    frames = [_frame(line) for line in lines]
    return [Stretch(tuple(group), own) for own, group in groupby(frames, key=lambda frame: frame.is_project)]


def _frame(line: str) -> Frame:
    found = LINE.fullmatch(line)
    if not found:  # of another language, or of nobody
        return Frame(redaction.redact_text(line)[:500], "", "", is_project=True)
    return Frame(found["path"], found["line"], found["function"], backtrace.is_project(found["path"]))
