"""Failures by kind: what fails, where, since when, and how much of it there is."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.api.budget import Budget
from kiq_django.api.records import JobRecord
from kiq_django.api.tally import HOUR, HOURS, Group, Tally
from kiq_django.store import Store
from kiq_django.store.groups import FailureSet

SECONDS: Final = 0.08
"""For a page that shall be there within 0.15 s."""
FRESH: Final = 30.0
"""Seconds that a count is good for."""
SMALL: Final = 1_000
"""Jobs of a set that is counted anew at every question."""
WINDOWS: Final = (8, 1_000)
"""Jobs read at once, at first and at most: nobody knows how large they are."""
PLAIN: Final = re.compile(r"[A-Za-z0-9_.: -]+")
"""What every writer of JSON writes as it is."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Jobs that failed for what is probably one reason: the same job, class of error and frame of the project."""

    fingerprint: str
    """12 hex digits; `JobRecord.fingerprint` of each of its jobs."""
    name: str
    """The job's name for people, at most 300 characters; empty where the jobs cannot be read."""
    error_class: str
    """Empty for jobs that were killed by hand before they ever failed."""
    frame: str
    """One job's, a recent one's: `billing/gateway.py:88 in charge`; empty for jobs that failed in Ruby."""
    pattern: str
    """The first line of a recent job's message, without numbers, ids and quoted parts."""
    count: int
    first_at: float | None
    """Epoch seconds of the first failure, as far as the jobs tell."""
    last_at: float | None
    trend: tuple[int, ...]
    """Jobs by the hour of their last failure: 24 hours by the clock, the present one last."""
    jids: tuple[str, ...]
    """Some of its jobs, the latest first."""
    queues: tuple[str, ...]
    """At most 10."""

    @property
    def is_readable(self) -> bool:
        """False for the group of all bytes that are no job."""
        return bool(self.name)

    @property
    def needles(self) -> tuple[bytes, ...]:
        """Texts that stand in the JSON of each of its jobs, for a quick way to pass over the others."""
        texts = (self.name, self.error_class)
        return tuple(b'"%b"' % text.encode() for text in texts if PLAIN.fullmatch(text) and len(text) < 300)


@dataclass(frozen=True, slots=True)
class FailureCount:
    """The failures of a set, as far as they are counted."""

    groups: tuple[FailureGroup, ...]
    """The largest first; at most 500."""
    other: int
    """Jobs of further kinds than these."""
    counted: int
    total: int
    """Jobs in the set now."""
    complete: bool
    """All were looked at. Otherwise ask again: each question goes on where the last has stopped."""
    counted_at: float
    """Epoch seconds when this count began: nothing in it is older."""

    def find(self, fingerprint: str) -> FailureGroup | None:
        """One group."""
        return next((group for group in self.groups if group.fingerprint == fingerprint), None)


def matches(fingerprint: str) -> Callable[[JobRecord], bool]:
    """Says of a job whether it belongs to a group: what an action on a whole group goes by."""
    return lambda record: record.fingerprint == fingerprint


class FailureGroups:
    """The groups of the retry or of the dead set.

    Redis keeps no index of what stands inside of jobs, so all of them are read. Each question does that for a moment
    only, from the latest job downwards, and leaves in Redis how far it came. A complete count is shown until the next
    one is. Jobs that come or move during a count may be missing in it.
    """

    def __init__(self, name: FailureSet, store: Store | None = None) -> None:
        self._name: FailureSet = name
        self._stored = (store or stores.get()).groups

    def count(self, budget: Budget | None = None) -> FailureCount:
        """What is counted by now.

        Args:
            budget: how long to go on with counting, 0.08 s unless given; with no jobs in it not at all.
        """
        now, budget = clock.now(), budget or Budget(SECONDS)
        size, texts = self._stored.read(self._name)
        done, begun = Tally.decode(texts.get("done")), Tally.decode(texts.get("begun"))
        if done and _is_far_off(done, size):
            done = None
        wanted = budget.jobs > 0 and (begun or not done or _is_stale(done, size, now))
        if wanted and self._stored.claim(self._name):
            begun = self._count_on(begun or Tally(now), budget)
            done, begun = (begun, None) if begun.complete else (done, begun)
            self._stored.write(self._name, _texts(done, begun))
        return _shown(done or begun or Tally(now), size, now)

    def forget(self) -> None:
        """Count anew from the next question on: after an action on many jobs."""
        self._stored.forget(self._name)

    def _count_on(self, tally: Tally, budget: Budget) -> Tally:
        least, most = WINDOWS
        window = least
        while not tally.complete:
            began = clock.monotonic()
            members, cursor = self._stored.window(self._name, tally.cursor, window)
            tally.step(members, cursor, now=clock.now(), scored=self._name == "dead")
            tally.complete = len(members) < window
            if not budget.spend(len(members)):
                break
            quick = clock.monotonic() - began < SECONDS / 8
            window = min(most, 2 * window) if quick else max(1, window // 2)
        return tally


def _is_stale(done: Tally, size: int, now: float) -> bool:
    moved = abs(done.counted - size) > size // 100
    return size <= SMALL or moved or not 0 <= now - done.began_at < FRESH


def _is_far_off(done: Tally, size: int) -> bool:
    """More wrong than an unfinished count would be."""
    return abs(done.counted - size) > max(SMALL, max(done.counted, size) // 2)


def _texts(done: Tally | None, begun: Tally | None) -> dict[str, bytes]:
    return {name: tally.encode() for name, tally in (("done", done), ("begun", begun)) if tally}


def _shown(tally: Tally, size: int, now: float) -> FailureCount:
    groups = [_group(fingerprint, group, now) for fingerprint, group in tally.groups.items()]
    groups.sort(key=lambda group: (-group.count, -(group.last_at or 0.0), group.fingerprint))
    return FailureCount(tuple(groups), tally.other, tally.counted, size, tally.complete, tally.began_at)


def _group(fingerprint: str, group: Group, now: float) -> FailureGroup:
    present = int(now // HOUR)
    return FailureGroup(
        fingerprint,
        group.name,
        group.error_class,
        group.frame,
        group.pattern,
        group.count,
        group.first_at,
        group.last_at,
        tuple(group.hours.get(str(hour), 0) for hour in range(present - HOURS + 1, present + 1)),
        tuple(group.jids),
        tuple(group.queues),
    )
