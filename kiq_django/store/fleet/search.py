"""Search over several islands: sets are merged by time, the lists of a queue follow one another."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf, nextafter
from typing import NamedTuple

from kiq_django.store.fleet.atlas import Atlas, Part
from kiq_django.store.fleet.server import Server
from kiq_django.store.keys import SetName
from kiq_django.store.search import HITS, WINDOW, Member, Scope, Search, Spot, Texts, Way, Window

FAR = 9_999_999_999
"""A count that is none: a cursor holds two, of which only one is known of a place among several."""


@dataclass(frozen=True, slots=True)
class Scopes(Scope):
    """One scope on each of several islands."""

    each: tuple[tuple[Search, Scope], ...] = ()


class Spotted(NamedTuple):
    """A member with the place it is in: what a position in a window over several stands for."""

    place: int
    member: Member


@dataclass(frozen=True, slots=True)
class Windows(Window):
    """What one look at several places found. Positions are numbers in `spotted`."""

    parts: Sequence[Window | None] = field(default=(), repr=False)
    """Of each place; None for one that was not looked at."""
    sizes: Sequence[int] = field(default=(), repr=False)
    spotted: Sequence[Spotted] = field(default=(), repr=False)
    is_merged: bool = False

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def looked_at(self, until: int | None = None) -> int:
        return sum(part.looked_at(self._until(place, until)) for place, part in enumerate(self.parts) if part)

    def passed(self, until: int | None = None) -> int:
        return sum(self._passed(place, until) for place in range(len(self.sizes)))

    def _passed(self, place: int, until: int | None) -> int:
        """Of one place, what lies before the part of it that was left for this look included."""
        part, size = self.parts[place], self.sizes[place]
        if part is None:
            return size if self._is_behind(place, until) else 0
        return size - part.size + part.passed(self._until(place, until))

    def spot(self, member: Member) -> Spot:
        place, own = self.spotted[member.position]
        part = self.parts[place]
        local = part.spot(own) if part else Spot(0, 0, 0.0)
        return Spot(place, local.behind if self.way > 0 else local.before, local.moment, local.anchor)

    def _until(self, place: int, until: int | None) -> int | None:
        """Where the look at one place counts as ended, when the whole one does at a member of some place."""
        part = self.parts[place]
        at = self.spotted[until] if until is not None and until < len(self.spotted) else None
        if at is None or part is None:
            return None
        if at.place == place:
            return at.member.position
        if not self.is_merged:
            return None if self._comes_before(place, at.place) else part.began
        border = (_time(at.member, self.way), at.place)
        later = [hit for hit in part.hits if (_time(hit, self.way), place) >= border]
        return later[0].position if later else None

    def _is_behind(self, place: int, until: int | None) -> bool:
        at = self.spotted[until] if until is not None and until < len(self.spotted) else None
        return at is None or self._comes_before(place, at.place)

    def _comes_before(self, place: int, other: int) -> bool:
        return (other - place) * self.way < 0


class FleetSearch(Search):
    """Looks for payloads wherever they are."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def queue(self, queue: str) -> Scope:
        parts = self._atlas.parts(queue)
        return Scopes("", "list", each=tuple((part.island.search, _list(part)) for part in parts))

    def job_set(self, name: SetName, lowest: float = float("-inf"), highest: float = float("inf")) -> Scope:
        islands = self._atlas.islands(self._servers)
        each = tuple((island.search, island.search.job_set(name, lowest, highest)) for island in islands)
        return Scopes("", "zset", lowest, highest, each)

    def window(
        self, scope: Scope, texts: Texts, way: Way, spot: Spot | None = None, *, members: int = WINDOW, hits: int = HITS
    ) -> Window:
        places = scope.each if isinstance(scope, Scopes) else ()
        if len(places) == 1:  # positions are its own, and so are its spots
            search, only = places[0]
            return search.window(only, texts, way, spot, members=members, hits=hits)
        look = _Look(places, texts, way, spot, scope.kind == "zset")
        return look.merged(members, hits) if look.is_merged else look.in_line(members, hits)

    def windows(self, scopes: Sequence[Scope], texts: Texts, way: Way, *, members: int = WINDOW) -> list[Window]:
        return [self.window(scope, texts, way, members=members) for scope in scopes]

    def locate(self, queues: Sequence[str], moment: float, jid: str = "") -> list[tuple[int, int]]:
        """Of a queue of several lists nothing is known but the size: there is no order of time over them."""
        return [self._located([p.island.search.locate([p.name], moment, jid)[0] for p in self._atlas.parts(queue)])
                for queue in queues]  # fmt: skip

    def held(self) -> list[tuple[str, bytes]]:
        islands = self._atlas.islands(self._servers)
        return [(self._atlas.whole(name), raw) for island in islands for name, raw in island.search.held()]

    def _located(self, found: Sequence[tuple[int, int]]) -> tuple[int, int]:
        return found[0] if len(found) == 1 else (-1, sum(size for _, size in found))


class _Look:
    """One question to several places."""

    def __init__(
        self, places: Sequence[tuple[Search, Scope]], texts: Texts, way: Way, spot: Spot | None, is_merged: bool
    ) -> None:
        self._places = places
        self._texts = texts
        self._way = way
        self._spot = spot
        self.is_merged = is_merged
        self._sizes = [search.window(scope, (), way, members=0, hits=0).size for search, scope in places]
        self._parts: list[Window | None] = [None] * len(places)

    def merged(self, members: int, hits: int) -> Window:
        """From every place as many; what lies beyond the nearest end of a look is for the next one."""
        full = [place for place, size in enumerate(self._sizes) if size]
        share = max(1, members // max(1, len(full))) if members else 0
        for place in full:
            self._ask(place, share, hits)
        ends = [(_time(p.next, self._way), n, p.next) for n, p in enumerate(self._parts) if p and p.next]
        border = min(ends)[:2] if ends else (float("inf"), len(self._places))
        found = [(_time(h, self._way), n, h) for n, part in enumerate(self._parts) if part for h in part.hits]
        inside = sorted((each for each in found if each[:2] < border), key=lambda each: each[:2])
        following = min(ends)[1:] if ends else None
        return self._window([Spotted(n, hit) for _, n, hit in inside], following)

    def in_line(self, members: int, hits: int) -> Window:
        """One place after the other."""
        order = range(len(self._places)) if self._way < 0 else range(len(self._places) - 1, -1, -1)
        begun = self._spot is None
        found: list[Spotted] = []
        for place in order:
            begun = begun or (self._spot is not None and self._spot.before == place)
            if not begun or not self._sizes[place]:
                continue
            part = self._ask(place, members, hits - len(found))
            found += [Spotted(place, hit) for hit in part.hits]
            members -= part.looked_at()
            if part.next is not None:
                return self._window(found, (place, part.next))
        return self._window(found, None)

    def _ask(self, place: int, members: int, hits: int) -> Window:
        search, scope = self._places[place]
        scope, spot = self._begin(place, scope)
        part = search.window(scope, self._texts, self._way, spot, members=max(0, members), hits=max(0, hits))
        self._parts[place] = part
        return part

    def _begin(self, place: int, scope: Scope) -> tuple[Scope, Spot | None]:
        """Where to begin in one place, when the next member of all is in some place."""
        spot = self._spot
        if spot is None:
            return scope, None
        if spot.before == place:
            own = (FAR, spot.behind) if self._way > 0 else (spot.behind, FAR)
            return scope, Spot(*own, spot.moment, spot.anchor)
        if not self.is_merged:
            return scope, None
        return _narrowed(scope, spot.moment, self._way, after=place < spot.before), None

    def _window(self, spotted: list[Spotted], following: tuple[int, Member] | None) -> Window:
        hits = [each.member._replace(position=number) for number, each in enumerate(spotted)]
        end = None
        if following is not None:
            end = following[1]._replace(position=len(spotted))
            spotted = [*spotted, Spotted(*following)]
        total = sum(self._sizes)
        return Windows(
            total, 0, total - 1, 0, len(hits), hits, end, self._way,
            parts=self._parts, sizes=self._sizes, spotted=spotted, is_merged=self.is_merged,
        )  # fmt: skip


def _list(part: Part) -> Scope:
    return part.island.search.queue(part.name)


def _time(member: Member, way: Way) -> float:
    return way * (member.score or 0.0)


def _narrowed(scope: Scope, moment: float, way: Way, *, after: bool) -> Scope:
    """The part of a scope from a moment on, or after it, in the order of the search."""
    border = nextafter(moment, way * inf) if after else moment
    if way > 0:
        return replace(scope, lowest=max(scope.lowest, border))
    return replace(scope, highest=min(scope.highest, border))
