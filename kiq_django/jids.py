"""The identities of jobs.

24 lower-case hex characters, as Sidekiq's. Ours begin with their time, 6 bytes in units of 1/65,536 s, of which the
first 4 are whole seconds since the epoch; 6 bytes of chance follow. So a job can be looked up by its id in a queue of
any length, which is in order of time. Ids of others are chance all through, and as good.
"""

import os
from collections import deque
from collections.abc import Sequence
from typing import Final, overload

from kiq_django import clock

TICKS: Final = 65_536
"""Units of time in one second."""
MOST_TICKS: Final = 0xFFFF_FFFF_FFFF
"""In the year 2106 they begin again."""
CHANCE: Final = 6
"""Bytes of it in an id."""
BATCH: Final = 256
FIRST_MOMENT: Final = 1_700_000_000
"""No id of ours is older than this (November 2023)."""
LONGEST: Final = 128

_chances: deque[bytes] = deque()
"""Bytes drawn ahead: asking the system for them costs more than all else about an id."""


def new_jid(now: float | None = None) -> str:
    """A new id, made `now` (epoch seconds)."""
    try:
        chance = _chances.pop()
    except IndexError:
        chance = _draw()
    try:
        ticks = int((clock.now() if now is None else now) * TICKS) & MOST_TICKS
    except (OverflowError, ValueError):  # no clock tells such a time
        ticks = 0
    return (ticks.to_bytes(6, "big") + chance).hex()


def moment(jid: str) -> float | None:
    """When an id was made, epoch seconds. None when it tells nothing, as those of others do: nearly always."""
    if len(jid) != 24 or not _is_hex(jid):
        return None
    made = int(jid[:12], 16) / TICKS
    return made if FIRST_MOMENT <= made <= clock.now() + 3600 else None


def is_plausible(jid: str) -> bool:
    """Whether it is worth while to look for a job of this id, which somebody may have typed."""
    return 0 < len(jid) <= LONGEST and jid.isprintable()


class JidRange(Sequence[str]):
    """The ids of a bulk without a list of them: one time, then a number that begins by chance and counts up.

    `take()` gives the next id; as a sequence it holds the ids taken so far. A million cost as much as one.
    """

    __slots__ = ("_first", "_taken")
    LIMIT: Final = 2**32

    def __init__(self, count: int = 0, prefix: str | None = None) -> None:
        """`prefix`, 16 hex characters, makes the range one that begins with it."""
        self._first = _first_of_a_range() if prefix is None else int(prefix, 16) << 32
        self._taken = count

    def take(self) -> str:
        """The next id.

        Raises:
            OverflowError: 2**32 ids are taken.
        """
        taken = self._taken
        if taken >= self.LIMIT:
            raise OverflowError("one bulk has 2**32 ids; start another")
        self._taken = taken + 1
        return f"{self._first + taken:024x}"

    def take_many(self, count: int) -> list[str]:
        """The next so many.

        Raises:
            OverflowError: 2**32 ids are taken.
        """
        begin = self._taken
        if begin + count > self.LIMIT:
            raise OverflowError("one bulk has 2**32 ids; start another")
        self._taken = begin + count
        return self[begin:]

    def __len__(self) -> int:
        return self._taken

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        positions = range(self._taken)[index]
        if isinstance(positions, range):
            first = self._first
            return [f"{first + position:024x}" for position in positions]
        return f"{self._first + positions:024x}"

    def __repr__(self) -> str:
        return f"<JidRange of {self._taken} from {self._first:024x}>"


def _draw() -> bytes:
    chances = os.urandom(CHANCE * BATCH)
    _chances.extend(chances[i : i + CHANCE] for i in range(CHANCE, len(chances), CHANCE))
    return chances[:CHANCE]


def _first_of_a_range() -> int:
    """With room behind it: what counts up never comes to change the time."""
    room = (1 << 8 * CHANCE) - JidRange.LIMIT
    ticks = int(clock.now() * TICKS) & MOST_TICKS
    return (ticks << 8 * CHANCE) + int.from_bytes(os.urandom(CHANCE), "big") % room


def _is_hex(text: str) -> bool:
    return not text.strip("0123456789abcdef")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_chances.clear)  # or parent and child would draw the same
