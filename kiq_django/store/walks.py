"""Walks over jobs that can stop anywhere and go on later, in another process, while others come and go.

A walk sees every job once that was there when it began and stays where it is; of those that come or move meanwhile
it may see some. What is between two reads is the *cursor*, bytes to keep; no bytes is the beginning.
"""

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Protocol

from kiq_django.store.keys import Keys, SetName
from kiq_django.store.link import Link

BACK = 500
"""Jobs before the cursor that are read again, to see how far the list has moved."""
FAR = 40
"""Reads that the search for a cursor may cost; then it is cheaper to begin anew."""
ANCHORS = 8
"""Jobs before the cursor by which its place is known again."""
DIGEST = 8
"""Bytes."""


class Found(NamedTuple):
    """One job."""

    raw: bytes
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Page:
    """What one read gave."""

    found: Sequence[Found]
    start: int = 0
    """Jobs of a list that come before; in a set nobody needs to know."""
    is_last: bool = False
    """There is nothing behind it."""

    @property
    def size(self) -> int:
        """Bytes of the payloads."""
        return sum(len(each.raw) for each in self.found)

    def cut(self, most: int) -> "Page":
        """Only the first so many jobs."""
        return self if most >= len(self.found) else Page(self.found[:most], self.start)


class Walk(Protocol):
    """The jobs of one place, in an order that they keep."""

    def measured(self) -> tuple[str, ...]:
        """The key, and of a set the lowest and the highest score: what tells how many there are."""

    def read(self, cursor: bytes, limit: int) -> Page:
        """The next ones, at most so many, in a bounded number of round trips."""

    def after(self, cursor: bytes, page: Page, left: Collection[bytes]) -> bytes:
        """The cursor behind a page that was read from `cursor`, when only `left` of it stays there."""


class SetWalk:
    """A set from its lowest score to its highest."""

    def __init__(self, link: Link, keys: Keys, name: SetName, low: float = -math.inf, high: float = math.inf) -> None:
        self._link = link
        self._key = keys.job_set(name)
        self._low = low
        self._high = high

    def measured(self) -> tuple[str, ...]:
        """A part of the set."""
        return (self._key, repr(self._low), repr(self._high))

    def read(self, cursor: bytes, limit: int) -> Page:
        """By one script."""
        score, _, raw = cursor.partition(b" ")
        before = b"(" + (score or repr(self._low).encode())
        reply = self._link.script("stretch", [self._key], [limit, before, score, raw])
        every = [Found(raw, float(score)) for raw, score in zip(reply[::2], reply[1::2], strict=True)]
        found = [each for each in every if each.score <= self._high]
        return Page(found, is_last=len(found) < limit)

    def after(self, cursor: bytes, page: Page, left: Collection[bytes]) -> bytes:
        """The place of the last one, whether it stays or not."""
        del left
        if not page.found:
            return cursor
        raw, score = page.found[-1]
        return b"%b %b" % (repr(score).encode(), raw)


class ListWalk:
    """A queue from the job that comes next to the newest, of which there were `most` when it began.

    Workers take what lies before the cursor, so its distance from the end of the list shrinks by nobody knows how
    much: it is found again by the last jobs that were seen to stay. When all of these are gone, it begins anew.
    """

    def __init__(self, link: Link, keys: Keys, queue: str, most: float = math.inf) -> None:
        self._link = link
        self._key = keys.queue(queue)
        self._most = most

    def measured(self) -> tuple[str, ...]:
        """All of the list."""
        return (self._key,)

    def read(self, cursor: bytes, limit: int) -> Page:
        """As a rule by one command."""
        depth, anchors = _parsed(cursor)
        offset = max(0, depth - BACK)
        asked = depth - offset + limit
        window = self._window(offset, asked)
        start = _behind(anchors, offset, window)
        if start is None:
            start = offset = self._searched(anchors, offset)
            asked = limit
            window = self._window(start, limit)
        rest = window[start - offset :]
        most = max(0, int(min(limit, self._most - start)))
        is_last = most < limit or (len(window) < asked and len(rest) <= limit)
        return Page([Found(raw) for raw in rest[:most]], start, is_last)

    def after(self, cursor: bytes, page: Page, left: Collection[bytes]) -> bytes:
        """How far it is from the end of the list, and the last that stay."""
        staying = [each.raw for each in page.found if each.raw in left]
        anchors = deque(_parsed(cursor)[1] if page.start else (), maxlen=ANCHORS)
        anchors.extend(map(_digest, staying[-ANCHORS:]))
        return b" ".join([b"%d" % (page.start + len(staying)), *anchors])

    def _searched(self, anchors: Collection[bytes], offset: int) -> int:
        """Where the cursor is now, after more than a few jobs before it were taken."""
        for _ in range(FAR):
            if not offset:
                break
            end, offset = offset, max(0, offset - BACK)
            start = _behind(anchors, offset, self._window(offset, end - offset))
            if start is not None:
                return start
        return 0

    def _window(self, offset: int, limit: int) -> list[bytes]:
        found = self._link.call("LRANGE", self._key, -offset - limit, -offset - 1)
        return list(reversed(found))


def _behind(anchors: Collection[bytes], offset: int, window: Sequence[bytes]) -> int | None:
    """The position behind the last anchor of a window that begins at an offset. Without anchors all is new."""
    if not anchors:
        return 0
    spots = (i for i in range(len(window) - 1, -1, -1) if _digest(window[i]) in anchors)
    last = next(spots, None)
    return None if last is None else offset + last + 1


def _parsed(cursor: bytes) -> tuple[int, list[bytes]]:
    depth, *anchors = cursor.split() or [b"0"]
    return int(depth), anchors


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=DIGEST).hexdigest().encode()
