"""One thing that the report says."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
"""error: does not work as it stands. warning: works, otherwise. info: to be changed in passing."""


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A line, what is there, and what to do."""

    file: str
    line: int
    severity: Severity
    text: str
    remedy: str
