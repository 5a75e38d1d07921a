"""Jobs on their way from one island to another, where no script leads.

One alone takes them, in one step with setting them aside in a set of their own island, to come due in a minute. Then
they are pushed at their goals, and taken away from the set. So no worker runs a job while it is being carried, and it
is never away: when the carrier dies, the poller sends it on from the set. Only those that were pushed and not yet taken
away, `CARRIED` at the most, come twice then.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kiq_django.store.fleet.atlas import Atlas, Part
from kiq_django.store.island import Store
from kiq_django.store.keys import SetName
from kiq_django.store.queues import Entry
from kiq_django.store.sets import Transfer

ON_THE_WAY = 60.0
"""Seconds after which a job that was on its way sets out again: whoever carried it is gone."""
CARRIED = 100
"""Jobs that are under way at once."""

Take = Callable[[Sequence[Transfer]], Sequence[bool]]


class Cargo(NamedTuple):
    """One job, and where it goes."""

    raw: bytes
    """As it lies now."""
    aside: bytes
    """As it lies in the set meanwhile."""
    goal: Part
    new: bytes


def carry(atlas: Atlas, island: Store, name: SetName, take: Take, jobs: Sequence[Cargo]) -> list[bool]:
    """Carry jobs off an island, aside in its set `name`. False for those that `take` did not find.

    Raises:
        StoreError: those that were under way come due in a minute.
    """
    found: list[bool] = []
    for some in _by(CARRIED, jobs):
        seconds, microseconds = island.link.call("TIME")
        until = int(seconds) + int(microseconds) / 1e6 + ON_THE_WAY
        taken = take([Transfer(job.raw, job.aside, until) for job in some])
        own = [job for job, is_ours in zip(some, taken, strict=True) if is_ours]
        _push(atlas, own)
        island.sets.remove(name, [job.aside for job in own])
        found += taken
    return found


def _push(atlas: Atlas, jobs: Sequence[Cargo]) -> None:
    dealt: dict[int, tuple[Store, list[Entry]]] = {}
    for job in jobs:
        dealt.setdefault(id(job.goal.island), (job.goal.island, []))[1].append(Entry(job.goal.name, job.new))
    for name in {job.goal.name for job in jobs}:
        atlas.server(name).note([name])
    for island, entries in dealt.values():
        island.queues.push(entries)


def _by(number: int, jobs: Sequence[Cargo]) -> Iterator[Sequence[Cargo]]:
    return (jobs[start : start + number] for start in range(0, len(jobs), number))
