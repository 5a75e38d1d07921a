"""What a page asks Redis once, though several parts of it want to know: the strip of links, the filters, the rows.

Parts that browsers fetch again and again are answered from one look a second, however many people look on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.http import HttpRequest
from django.utils.translation import get_language

from kiq_django import clock, conf
from kiq_django.admin.lazily import api, store, submodule

if TYPE_CHECKING:
    from kiq_django.api import FailureGroup, Work
    from kiq_django.api.situation import Situation
    from kiq_django.store.groups import FailureSet

T = TypeVar("T")
FRESH: Final = 1.0
"""Seconds for which a look is good enough for a part of a page that is fetched again and again."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What stands beside the links to the pages."""

    queues: int
    running: int
    retries: int
    scheduled: int
    dead: int
    processes: int


def situation(request: HttpRequest, into: Collection[str] | None = None) -> Situation:
    """How everything stands, with the next job of these queues; of all unless given."""
    found: Situation = _once(request, "situation", lambda: submodule("situation").look(store(), into=into))
    return found


def counts(request: HttpRequest) -> Counts:
    """How much there is of everything; from `situation`, if that was asked for before."""
    known = _known(request).get("situation")
    if known is not None:
        busy = [member.process.busy for member in known.members]
        return _counted(len(known.lines), busy, known.sizes)
    brief = _brief(request)
    return _counted(len(brief.queues), list(brief.busy.values()), brief.sizes)


def queues(request: HttpRequest) -> Sequence[str]:
    """Names of all queues."""
    known = _known(request).get("situation")
    return list(known.lines) if known is not None else _brief(request).queues


def groups(request: HttpRequest, place: FailureSet) -> Sequence[FailureGroup]:
    """Failures as they are counted by now. Nothing is counted on: a filter must not cost what a page may cost."""
    without = submodule("budget").Budget(seconds=0.0, jobs=0)
    return _once(request, f"groups {place}", lambda: api.FailureGroups(place, store()).count(without).groups)


def works(request: HttpRequest) -> Sequence[Work]:
    """What runs, the longest running first."""
    return _once(request, "works", lambda: list(api.WorkSet(store())))


def _counted(queues: int, busy: Sequence[int], sizes: Any) -> Counts:
    return Counts(queues, sum(busy), sizes["retry"], sizes["schedule"], sizes["dead"], len(busy))


def _brief(request: HttpRequest) -> Any:
    return _once(request, "brief", lambda: store().counters.brief())


def _once(request: HttpRequest, name: str, read: Callable[[], T]) -> T:
    known = _known(request)
    if name not in known:
        known[name] = read()
    return known[name]  # type: ignore[no-any-return]


def _known(request: HttpRequest) -> dict[str, Any]:
    known: dict[str, Any] = vars(request).setdefault("kiq_known", {})
    return known


# -- for many people at once -----------------------------------------------------------------------


class Shared:
    """An answer that everybody gets who asks within a second."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._read_at = float("-inf")
        self._found: Any = None

    def get(self, read: Callable[[], T]) -> T:
        """The answer; who comes while one thread reads it waits for that."""
        with self._lock:
            if clock.monotonic() - self._read_at >= FRESH:
                self._found = read()
                self._read_at = clock.monotonic()
            found: T = self._found
            return found


def shared(name: str) -> Shared:
    """One for each name, in the language in force: what stands in it may be sentences."""
    return _shared(name, get_language() or "")


@cache
def _shared(name: str, language: str) -> Shared:
    """Of the store that the settings choose."""
    return Shared()


conf.on_reset(_shared.cache_clear)
