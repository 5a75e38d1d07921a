"""The sorted sets of all islands as one: read in order, each job acted on where it is."""

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

from kiq_django import sections
from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.store.fleet.atlas import Atlas, Part
from kiq_django.store.fleet.ferry import Cargo, carry, label, unlabelled
from kiq_django.store.fleet.server import Server
from kiq_django.store.island import Store
from kiq_django.store.keys import SetName
from kiq_django.store.sets import Promotion, Sets, Transfer

Act = Callable[[Store, list[int]], Sequence[bool]]


class FleetSets(Sets):
    """The three sets of a fleet."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server], limits: sections.Limits) -> None:
        self._atlas = atlas
        self._servers = servers
        self._dead_limits = (limits.dead_jobs, limits.dead_seconds)

    # -- reading ----------------------------------------------------------------------------------

    def count(self, name: SetName) -> int:
        return sum(island.sets.count(name) for island in self._islands())

    def page(self, name: SetName, offset: int, limit: int, *, reverse: bool = False) -> list[tuple[bytes, float]]:
        most = offset + limit
        found = [island.sets.page(name, 0, most, reverse=reverse) for island in self._islands()]
        way = -1 if reverse else 1
        merged = heapq.merge(*found, key=lambda pair: way * pair[1])
        return list(islice(merged, offset, most))

    def at_score(self, name: SetName, score: float) -> list[bytes]:
        return [raw for island in self._islands() for raw in island.sets.at_score(name, score)]

    def due(self, name: SetName, limit: int) -> list[bytes]:
        """Of each island its earliest; no more than the limit in all."""
        found: list[bytes] = []
        for island in self._islands():
            if len(found) < limit:
                found += island.sets.due(name, limit - len(found))
        return found

    # -- acting -----------------------------------------------------------------------------------

    def add(self, name: SetName, raw: bytes, score: float) -> None:
        part = self._atlas.pick(_queue(raw), raw)
        self._atlas.server(part.name).note([part.name])
        part.island.sets.add(name, raw, score)

    def promote(self, name: SetName, jobs: Sequence[Promotion]) -> list[bool]:
        def act(island: Store, numbers: list[int]) -> Sequence[bool]:
            return self.promote_on(island, name, [jobs[number] for number in numbers])

        return self._act(name, [(job.queue, job.raw) for job in jobs], act)

    def transfer(self, source: SetName, to: SetName, jobs: Sequence[Transfer]) -> list[bool]:
        def act(island: Store, numbers: list[int]) -> Sequence[bool]:
            return island.sets.transfer(source, to, [jobs[number] for number in numbers])

        return self._act(source, [(_queue(job.raw), job.raw) for job in jobs], act)

    def transfer_from_queue(self, queue: str, to: SetName, jobs: Sequence[Transfer]) -> list[bool]:
        found = [False] * len(jobs)
        for island, name in self._atlas.parts(queue):
            left = [number for number, done in enumerate(found) if not done]
            if left:
                answers = island.sets.transfer_from_queue(name, to, [jobs[number] for number in left])
                for number, answer in zip(left, answers, strict=True):
                    found[number] = answer
        return found

    def remove(self, name: SetName, raws: Sequence[bytes]) -> int:
        return sum(island.sets.remove(name, raws) for island in self._islands()) if raws else 0

    def clear(self, name: SetName) -> int:
        return sum(island.sets.clear(name) for island in self._islands())

    def promote_on(self, island: Store, name: SetName, jobs: Sequence[Promotion]) -> list[bool]:
        """Move jobs of one island's set to their queues: in one step where those are on the same island."""
        goals = [self._goal(island, job) for job in jobs]
        near = [number for number, goal in enumerate(goals) if goal.island is island]
        found = [False] * len(jobs)
        moves = [jobs[n]._replace(queue=goals[n].name, new=unlabelled(jobs[n].new)) for n in near]
        for number, moved in zip(near, island.sets.promote(name, moves) if moves else (), strict=True):
            found[number] = moved
        far = [number for number, goal in enumerate(goals) if goal.island is not island]
        cargo = [Cargo(jobs[number].raw, goals[number], jobs[number].new) for number in far]
        carried = carry(self._atlas, island, partial(island.sets.transfer, name, "schedule"), cargo)
        for number, moved in zip(far, carried, strict=True):
            found[number] = moved
        return found

    def _goal(self, island: Store, job: Promotion) -> Part:
        """In the cluster layout a job comes back to the partition that it was in: no other is on its island.

        A job that was under way goes on to where it was sent.
        """
        if known := label(job.raw):
            return self._atlas.part(known.to)
        for part in self._atlas.parts(job.queue) if self._atlas.server(job.queue).is_tagged else ():
            if part.island is island:
                return part
        return self._atlas.pick(job.queue, job.new)

    # -- where a job is ---------------------------------------------------------------------------

    def _act(self, name: SetName, jobs: Sequence[tuple[str, bytes]], act: Act) -> list[bool]:
        """On each island at once with the jobs that lie there. False for those that are nowhere."""
        found = [False] * len(jobs)
        for island, numbers in self.by_island(name, jobs):
            for number, done in zip(numbers, act(island, numbers), strict=True):
                found[number] = done
        return found

    def by_island(self, name: SetName, jobs: Sequence[tuple[str, bytes]]) -> list[tuple[Store, list[int]]]:
        """On which island each job of a set lies, given with its queue: by number. The likely ones are asked first."""
        islands = self._islands()
        if len(islands) == 1:
            return [(islands[0], list(range(len(jobs))))]
        found: dict[int, tuple[Store, list[int]]] = {}
        left = list(range(len(jobs)))
        likely: dict[int, tuple[Store, list[int]]] = {}
        for number in left:
            for part in self._atlas.parts(jobs[number][0]):
                likely.setdefault(id(part.island), (part.island, []))[1].append(number)
        for island, numbers in [*likely.values(), *((island, None) for island in islands)]:
            asked = [number for number in left if numbers is None or number in numbers]
            there = set(_there(island, name, [(number, jobs[number][1]) for number in asked]))
            if there:
                found.setdefault(id(island), (island, []))[1].extend(sorted(there))
                left = [number for number in left if number not in there]
            if not left:
                break
        return list(found.values())

    def _islands(self) -> list[Store]:
        return self._atlas.islands(self._servers)


def _there(island: Store, name: SetName, jobs: Sequence[tuple[int, bytes]]) -> list[int]:
    if not jobs:
        return []
    key = island.keys.job_set(name)
    scores: list[Any] = island.link.send([("ZSCORE", key, raw) for _, raw in jobs])
    return [number for (number, _), score in zip(jobs, scores, strict=True) if score is not None]


def _queue(raw: bytes) -> str:
    try:
        return Payload.decode(raw).queue
    except MalformedPayload:
        return "default"
