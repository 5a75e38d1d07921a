"""Lists and sorted sets searched in order, window by window: no call holds the server up, whatever the size."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.store.keys import Keys, SetName, name_of, spelled
from kiq_django.store.link import Link

WINDOW = 2_000
"""Members that one call looks at, at most: 2 to 4 ms."""
WINDOW_BYTES = 2 * 1024 * 1024
"""Bytes after which a call ends, since members can be large."""
HITS = 500
BATCH = 10
"""Queues that are asked in one round trip."""
ANCHOR = re.compile(r"[0-9A-Za-z_-]{12,64}")
"""An id that nothing else in a payload looks like."""

Way = Literal[1, -1]
"""Through the indexes: 1 is from the head of a list or the lowest score on."""
Texts = Sequence[Sequence[bytes]]
"""Each has to stand in a payload in one of its spellings."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is searched: a list, or a sorted set between two scores."""

    key: str
    kind: Literal["list", "zset"]
    lowest: float = -math.inf
    highest: float = math.inf


class Member(NamedTuple):
    """One payload in its place."""

    position: int
    """Index in the list, or in the set by score."""
    raw: bytes
    score: float | None
    """None in a list."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a search goes on: the member that is next, and by what it is known when others have moved it."""

    before: int
    """Members that stood before it."""
    behind: int
    moment: float
    """Its score; in a list, the time when it came there. 0 is unknown."""
    anchor: str = ""
    """A text inside of it that no other has: its jid. Empty when it has none that is fit."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one call found."""

    total: int
    """Members of the list or set."""
    first: int
    """Index of the first of the scope."""
    last: int
    began: int
    ended: int
    """Index of the member to go on with."""
    hits: Sequence[Member]
    next: Member | None
    """The member to go on with; None at the end of the scope."""
    way: Way = field(repr=False)

    @property
    def size(self) -> int:
        """Members of the scope."""
        return max(0, self.last - self.first + 1)

    def looked_at(self, until: int | None = None) -> int:
        """Members from the beginning of the window to an index, or to its end."""
        return abs((self.ended if until is None else until) - self.began)

    def passed(self, until: int | None = None) -> int:
        """Members of the scope that lie before an index, or before what is next."""
        index = self.ended if until is None else until
        done = index - self.first if self.way > 0 else self.last - index
        return min(max(0, done), self.size)

    def spot(self, member: Member) -> Spot:
        """How to come back to a member."""
        anchor, came = _marks(member.raw)
        moment = came if member.score is None else member.score
        return Spot(member.position, self.total - 1 - member.position, moment, anchor)


class Search:
    """Looks for payloads by what stands inside of them; Redis has no index of that."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def queue(self, queue: str) -> Scope:
        """A whole queue; index 0 is the newest job."""
        return Scope(self._keys.queue(queue), "list")

    def job_set(self, name: SetName, lowest: float = -math.inf, highest: float = math.inf) -> Scope:
        """A set between two scores, both included; index 0 has the lowest."""
        return Scope(self._keys.job_set(name), "zset", lowest, highest)

    def window(
        self, scope: Scope, texts: Texts, way: Way, spot: Spot | None = None, *, members: int = WINDOW, hits: int = HITS
    ) -> Window:
        """Look at the members from a spot on, or from where the scope begins: one round trip, or three.

        Others may push, fetch, add and delete between two windows. What stays is not missed, and not met twice
        either as long as the member that is next stays too. When that is gone as well, its score or its time in the
        list tells the spot: then jobs of the very same time may be met again.

        Args:
            scope: what to search.
            texts: what a payload has to contain; no texts are contained in all.
            way: the order.
            spot: where to go on.
            members: how many to look at, at most.
            hits: how many to find, at most.
        """
        limits = (min(members, WINDOW), WINDOW_BYTES, hits)
        asked = (*limits, *(part for text in texts for part in _spelled(text)))
        if spot is None:
            return _window(self._ask(scope, way, ("", "", ""), asked), way)
        for index, must in self._ways_back(scope, spot, way):
            reply = self._ask(scope, way, (index, spot.anchor, must), asked)
            if reply != -1:
                break
        return _window(reply, way)

    def windows(self, scopes: Sequence[Scope], texts: Texts, way: Way, *, members: int = WINDOW) -> list[Window]:
        """The first window of each of several short places, in one round trip: together they are to be no longer than
        one window may be."""
        asked = (min(members, WINDOW), WINDOW_BYTES, HITS, *(part for text in texts for part in _spelled(text)))
        replies = self._link.run([self._asking(scope, way, ("", "", ""), asked) for scope in scopes])
        return [_window(reply, way) for reply in replies]

    def locate(self, queues: Sequence[str], moment: float, jid: str = "") -> list[tuple[int, int]]:
        """About where a job stands in some queues: index of the oldest that came no earlier, or -1; and the size.

        Args:
            queues: where to look.
            moment: when it came there, or was made, epoch seconds.
            jid: its id, if it may be one of a bulk.
        """
        keys = [self._keys.queue(queue) for queue in queues]
        found: list[tuple[int, int]] = []
        for start in range(0, len(keys), BATCH):
            commands = [self._locating(key, moment, jid) for key in keys[start : start + BATCH]]
            found += [(index, size) for index, size in self._link.run(commands)]
        return found

    def held(self) -> list[tuple[str, bytes]]:
        """Queue and payload of everything that workers have taken, be it begun or not."""
        served = sorted(name_of(name) for name in self._link.call("SMEMBERS", self._keys.served()))
        asked = [("ZRANGE", spelled(self._keys.owners(queue)), 0, -1) for queue in served]
        owned = zip(served, self._link.send(asked, tolerant=True), strict=True)
        lists = [(queue, name_of(owner)) for queue, owners in owned for owner in owners or ()]
        asked = [("LRANGE", spelled(self._keys.working(*each)), 0, -1) for each in lists]
        found = zip(lists, self._link.send(asked, tolerant=True), strict=True)
        return [(spelled(queue).decode(errors="replace"), raw) for (queue, _), raws in found for raw in raws or ()]

    def _ask(self, scope: Scope, way: Way, start: Sequence[Any], asked: Sequence[Any]) -> Any:
        return self._link.run([self._asking(scope, way, start, asked)])[0]

    def _asking(self, scope: Scope, way: Way, start: Sequence[Any], asked: Sequence[Any]) -> tuple[Any, ...]:
        bounds = (f"({scope.lowest!r}", repr(scope.highest))
        return self._link.prepare("search", [scope.key], [scope.kind, way, *bounds, *start, *asked])

    def _locating(self, key: str, moment: float, jid: str) -> tuple[Any, ...]:
        halves = (jid[:12], jid[12:]) if len(jid) == 24 else ("", "")
        return self._link.prepare("locate", [key], [repr(moment), *halves])

    def _ways_back(self, scope: Scope, spot: Spot, way: Way) -> Iterator[tuple[int, str]]:
        """Indexes near the member that is next, and `there` while there are better ways than to begin without it."""
        index = -spot.behind - 1 if way > 0 else spot.before
        yield index, "there" if spot.anchor else ""
        if scope.kind == "zset":
            yield self._among_equals(scope.key, spot, way), ""
        elif spot.moment:
            yield max(0, self._place(scope.key, spot.moment, spot.anchor)), "there"
            moment = math.nextafter(spot.moment, math.inf) if way > 0 else spot.moment
            place = self._place(scope.key, moment)
            yield max(0, place + 1 if way > 0 else place), ""
        yield index, ""

    def _place(self, key: str, moment: float, jid: str = "") -> int:
        index: int = self._link.run([self._locating(key, moment, jid)])[0][0]
        return index

    def _among_equals(self, key: str, spot: Spot, way: Way) -> int:
        """Among the members of the very same score, the counts tell: the one from the end that is still to come."""
        score = repr(spot.moment)
        counts = [("ZCARD", key), ("ZCOUNT", key, "-inf", f"({score}"), ("ZCOUNT", key, "-inf", score)]
        total, first, after = map(int, self._link.send(counts))
        ends = (spot.before, total - 1 - spot.behind)
        return max(0, min(max(min(ends), first), after) if way > 0 else max(min(max(ends), after - 1), first - 1))


def _spelled(text: Sequence[bytes]) -> Iterator[str | bytes]:
    for number, spelling in enumerate(text):
        yield "0" if number else "1"
        yield spelling


def _window(reply: Sequence[Any], way: Way) -> Window:
    total, first, last, began, *members = reply
    *hits, end = [Member(position, raw, float(score) if score else None) for position, raw, score in members]
    is_over = not first <= end.position <= last
    return Window(total, first, last, began, end.position, hits, None if is_over else end, way)


def _marks(raw: bytes) -> tuple[str, float]:
    """What tells a payload from others: its id, and when it came into its queue."""
    try:
        payload = Payload.decode(raw)
    except MalformedPayload:
        return "", 0.0
    anchor = payload.jid if ANCHOR.fullmatch(payload.jid) else ""
    return anchor, payload.enqueued_at or payload.created_at or 0.0
