"""Jobs on their way from one island to another, where no script leads.

1. One alone takes them, in one step with setting them aside in the schedule of their own island, to come due in a
minute. There each bears a *label*: which list it goes to, and an id of this journey. 2. They are pushed at their goals,
each in one step with a mark of that id. 3. They are taken away from the schedule, and 4. the marks from the goals.

So no worker runs a job while it is being carried, and it is never away: when the carrier dies, the poller sends it on
from the schedule, to the same list under the same id. What was pushed before is found marked there, and not pushed
again. A job arrives once, whatever happens, for as long as a mark is kept (`deliveries.REMEMBERED`): only what is no
readable payload has no place for a label, and may be both at its goal and among the dead.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from kiq_django.exceptions import MalformedPayload, PayloadError
from kiq_django.payload import ABSENT, CARRIED, Payload
from kiq_django.store.fleet.atlas import Atlas, Part
from kiq_django.store.island import Store
from kiq_django.store.queues import Entry
from kiq_django.store.sets import Transfer

ON_THE_WAY = 60.0
"""Seconds after which a job that was on its way sets out again: whoever carried it is gone."""
AT_ONCE = 100
"""Jobs that are under way at once."""
LABELLED = f'"{CARRIED}"'.encode()

Take = Callable[[Sequence[Transfer]], Sequence[bool]]


class Label(NamedTuple):
    """What is written on a job that is set aside."""

    id: str
    to: str
    times: int
    """How often it set out: so its bytes differ each time, and one alone succeeds with setting it aside."""


class Cargo(NamedTuple):
    """One job, and where it goes."""

    raw: bytes
    """As it lies now."""
    goal: Part
    new: bytes
    """As it is to arrive."""


class Load(NamedTuple):
    """One job under way."""

    cargo: Cargo
    id: str
    """Empty for what bears no label."""
    aside: bytes
    """As it lies in the schedule meanwhile."""
    is_first: bool
    """It sets out for the first time. Later there may be another carrier, who is only slow: it needs the mark."""


def carry(atlas: Atlas, island: Store, take: Take, jobs: Sequence[Cargo]) -> list[bool]:
    """Carry jobs off an island. False for those that `take` did not find.

    Args:
        take: sets jobs aside in the schedule of the island.

    Raises:
        StoreError: those that were under way come due in a minute.
    """
    found: list[bool] = []
    for some in _by(AT_ONCE, jobs):
        loads = [_loaded(job) for job in some]
        seconds, microseconds = island.link.call("TIME")
        until = int(seconds) + int(microseconds) / 1e6 + ON_THE_WAY
        taken = take([Transfer(load.cargo.raw, load.aside, until) for load in loads])
        own = [load for load, is_ours in zip(loads, taken, strict=True) if is_ours]
        _push(atlas, own)
        _forget(_take_away(island, own))
        found += taken
    return found


def label(raw: bytes) -> Label | None:
    """What is written on a job; None when it is not on its way."""
    if LABELLED not in raw:
        return None
    try:
        found = Payload.decode(raw).document.get(CARRIED)
    except MalformedPayload:
        return None
    return Label(*found) if isinstance(found, list) and list(map(type, found)) == [str, str, int] else None


def unlabelled(raw: bytes) -> bytes:
    """A job as it may lie in a queue."""
    if LABELLED not in raw:
        return raw
    try:
        payload = Payload.decode(raw)
        return payload.evolve(**{CARRIED: ABSENT}).encode() if CARRIED in payload.document else raw
    except (MalformedPayload, PayloadError):
        return raw


def _loaded(job: Cargo) -> Load:
    known = label(job.raw)
    now = Label(secrets.token_hex(12), job.goal.name, 0) if known is None else known._replace(times=known.times + 1)
    try:
        aside = Payload.decode(job.new).evolve(**{CARRIED: list(now)}).encode()
    except (MalformedPayload, PayloadError):
        return Load(job, "", job.new, is_first=True)
    return Load(job._replace(new=unlabelled(job.new)), now.id, aside, is_first=known is None)


def _push(atlas: Atlas, loads: Sequence[Load]) -> None:
    for name in {load.cargo.goal.name for load in loads}:
        atlas.server(name).note([name])
    for island, some in _by_goal(loads):
        ids, entries = [load.id for load in some], [Entry(load.cargo.goal.name, load.cargo.new) for load in some]
        island.deliveries.push_once(ids, entries)


def _take_away(island: Store, loads: Sequence[Load]) -> list[Load]:
    """Off the schedule. Returns those that were still there: nobody else can have set out with them."""
    key = island.keys.job_set("schedule")
    gone: list[Any] = island.link.send([("ZREM", key, load.aside) for load in loads]) if loads else []
    return [load for load, was_there in zip(loads, gone, strict=True) if was_there]


def _forget(loads: Sequence[Load]) -> None:
    """Marks that nobody will ask for."""
    for island, some in _by_goal([load for load in loads if load.id and load.is_first]):
        keys = [island.keys.delivered(load.cargo.goal.name, load.id) for load in some]
        island.link.call("UNLINK", *keys)


def _by_goal(loads: Sequence[Load]) -> list[tuple[Store, list[Load]]]:
    dealt: dict[int, tuple[Store, list[Load]]] = {}
    for load in loads:
        goal = load.cargo.goal.island
        dealt.setdefault(id(goal), (goal, []))[1].append(load)
    return list(dealt.values())


def _by(number: int, jobs: Sequence[Cargo]) -> Iterator[Sequence[Cargo]]:
    return (jobs[start : start + number] for start in range(0, len(jobs), number))
