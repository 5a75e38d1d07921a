"""What counting the failures of a set needs: the set in windows from its latest job on, and a place for the result."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from kiq_django.exceptions import StoreRefused
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link

FailureSet = Literal["retry", "dead"]
EXPIRY: Final = 600
"""Seconds that a count is kept when nobody asks."""
GUARD_MS: Final = 2_000
"""Milliseconds after which somebody who counts is taken for gone."""


class Cursor(NamedTuple):
    """How far a walk from the highest score downwards has come."""

    score: str = "+inf"
    """Of the last member that was seen, as Redis writes it."""
    skip: int = 0
    """Members of exactly this score that were seen."""


class Window(NamedTuple):
    """Some members in a row, the latest first."""

    members: Sequence[tuple[bytes, bytes]]
    """Payloads and scores."""
    cursor: Cursor
    """Where the next window begins."""


class Counted(NamedTuple):
    """What is stored of a set."""

    size: int
    """Jobs in it now."""
    texts: Mapping[str, bytes]
    """`done` and `begun`, as far as there are."""


class Groups:
    """Counts of failures in one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def read(self, name: FailureSet) -> Counted:
        """The set's size, and what was counted before."""
        commands = [("ZCARD", self._keys.job_set(name)), ("HMGET", self._keys.groups(name), "done", "begun")]
        size, texts = self._link.send(commands)
        return Counted(int(size), {field: text for field, text in zip(("done", "begun"), texts, strict=True) if text})

    def claim(self, name: FailureSet) -> bool:
        """Be the one who counts. False when somebody else does."""
        try:
            return self._link.call("SET", self._keys.groups_guard(name), 1, "NX", "PX", GUARD_MS) is not None
        except StoreRefused:  # a full or read-only server: everybody counts for themselves
            return True

    def window(self, name: FailureSet, cursor: Cursor, size: int) -> Window:
        """The next members; none at the end of the set. Those that come in above the cursor are not seen."""
        key = self._keys.job_set(name)
        limits = (cursor.score, "-inf", "WITHSCORES", "LIMIT", cursor.skip, size)
        [flat] = self._link.send([("ZREVRANGEBYSCORE", key, *limits)])
        members = list(zip(flat[::2], flat[1::2], strict=True))
        if not members:
            return Window((), cursor)
        last = members[-1][1]
        same = sum(score == last for _, score in members)
        score = last.decode()
        return Window(members, Cursor(score, same + (cursor.skip if score == cursor.score else 0)))

    def write(self, name: FailureSet, texts: Mapping[str, bytes]) -> None:
        """Keep what was counted, and let others count on."""
        key = self._keys.groups(name)
        parts = [part for pair in texts.items() for part in pair]
        commands = [
            ("DEL", key),
            ("HSET", key, *parts),
            ("EXPIRE", key, EXPIRY),
            ("DEL", self._keys.groups_guard(name)),
        ]
        try:
            self._link.send(commands)
        except StoreRefused:
            return  # it will be counted again

    def forget(self, name: FailureSet) -> None:
        """Count anew at the next question."""
        self._link.call("DEL", self._keys.groups(name))
