"""Stretches of UTC time, and how keys name them."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Step:
    """Time cut into pieces of one length. Each piece goes by its begin, in epoch seconds."""

    seconds: int
    digits: int
    """How much of `yyyymmddHHMM` tells one piece from the others."""

    def begin(self, moment: float) -> int:
        """Of the piece that a moment lies in."""
        return int(moment // self.seconds) * self.seconds

    def bucket(self, moment: float) -> str:
        """The name of the piece that a moment lies in: `202602030405`, `20260203040`, `2026020304` or `20260203`."""
        return f"{datetime.fromtimestamp(moment, UTC):%Y%m%d%H%M}"[: self.digits]

    def last(self, count: int, moment: float) -> range:
        """So many pieces in a row, of which the last is the one that a moment lies in."""
        last = self.begin(moment)
        return range(last - (count - 1) * self.seconds, last + 1, self.seconds)


MINUTE = Step(60, 12)
TEN_MINUTES = Step(600, 11)
HOUR = Step(3600, 10)
DAY = Step(86_400, 8)
