"""Waiting jobs of queues that have several lists, or lists on several islands."""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.store.fleet.atlas import Atlas, Part
from kiq_django.store.fleet.ferry import AT_ONCE, Cargo, carry
from kiq_django.store.fleet.server import Server
from kiq_django.store.flight import Land, landed
from kiq_django.store.island import Store
from kiq_django.store.queues import Entry, Queues, State

T = TypeVar("T")


class FleetQueues(Queues):
    """All queues of a fleet, by the names that people know. The name of one list stands for that list alone."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def push(self, entries: Sequence[Entry]) -> None:
        dealt: dict[str, tuple[Store, list[Entry]]] = {}
        by_server: dict[Server, set[str]] = {}
        for entry in entries:
            island, name = self._atlas.pick(entry.queue, entry.raw)
            dealt.setdefault(name, (island, []))[1].append(entry._replace(queue=name))
        for name in dealt:
            by_server.setdefault(self._atlas.server(name), set()).add(name)
        for server, names in by_server.items():
            server.note(names)
        for island, each in _joined(dealt.values()):
            island.queues.push(each)

    def launch(self, queue: str, payloads: Sequence[bytes]) -> Land:
        self.push([Entry(queue, raw) for raw in payloads])
        return landed

    async def apush(self, entries: Sequence[Entry]) -> None:
        """In a thread: it may lead to several servers."""
        await asyncio.to_thread(self.push, entries)

    def pushing(self, entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
        """Not to be had: jobs may go to several servers."""
        raise NotImplementedError

    def beginning(self, entries: Iterable[Entry]) -> list[tuple[Any, ...]]:
        """Not to be had, as `pushing`."""
        raise NotImplementedError

    def names(self) -> list[str]:
        found = [name for island in self._islands() for name in island.queues.names()]
        return sorted({self._atlas.whole(name) for name in found})

    def sizes(self, queues: Iterable[str]) -> dict[str, int]:
        names = list(queues)
        found = self.each_list(names, lambda island, lists: island.queues.sizes(lists))
        return {name: sum(found[name].values()) for name in names}

    def oldest(self, queues: Iterable[str]) -> dict[str, bytes | None]:
        names = list(queues)
        found = self.each_list(names, lambda island, lists: island.queues.oldest(lists))
        return {name: earliest(found[name].values()) for name in names}

    def page(self, queue: str, offset: int, limit: int, *, oldest_first: bool = True) -> list[bytes]:
        """In the order of the times when they came, over all lists."""
        parts = self._atlas.parts(queue)
        if len(parts) == 1:
            return parts[0].island.queues.page(parts[0].name, offset, limit, oldest_first=oldest_first)
        most = offset + limit
        found = [part.island.queues.page(part.name, 0, most, oldest_first=oldest_first) for part in parts]
        way = 1 if oldest_first else -1
        return list(islice(heapq.merge(*found, key=lambda raw: way * came(raw)), offset, most))

    def remove(self, queue: str, raw: bytes) -> bool:
        return any(part.island.queues.remove(part.name, raw) for part in self._atlas.parts(queue))

    def clear(self, queue: str) -> int:
        return sum(part.island.queues.clear(part.name) for part in self._atlas.parts(queue))

    def pause(self, queue: str, note: Mapping[str, Any]) -> None:
        self._atlas.server(queue).note(self._atlas.lists(queue))
        for part in self._atlas.parts(queue):
            part.island.queues.pause(part.name, note)

    def resume(self, queue: str) -> bool:
        return sum(part.island.queues.resume(part.name) for part in self._atlas.parts(queue)) > 0

    def paused(self) -> dict[str, dict[str, Any]]:
        """A queue is paused as soon as one of its lists is."""
        found: dict[str, dict[str, Any]] = {}
        for island in self._islands():
            for name, note in island.queues.paused().items():
                whole = self._atlas.whole(name)
                found[whole] = found.get(whole) or note
        return dict(sorted(found.items()))

    def states(self, queues: Iterable[str]) -> list[State]:
        names = list(queues)
        found = self.each_list(names, lambda island, lists: {s.name: s for s in island.queues.states(lists)})
        return [_state(name, list(found[name].values())) for name in names]

    def move(self, queue: str, to: str, limit: int) -> int:
        """In one step where the goal is on the same island, else as `ferry` has it."""
        moved = 0
        for part in self._atlas.parts(queue):
            goal = self._atlas.pick(to, b"")
            if goal.island is part.island:
                moved += part.island.queues.move(part.name, goal.name, limit - moved)
            else:
                moved += self._carry(part, to, limit - moved)
        return moved

    def _carry(self, part: Part, to: str, limit: int) -> int:
        """Jobs that a worker takes meanwhile are its own: then those behind them go."""
        sets, moved = part.island.sets, 0
        while raws := part.island.queues.page(part.name, 0, min(AT_ONCE, limit - moved)) if moved < limit else []:
            jobs = [Cargo(raw, self._atlas.pick(to, raw), raw) for raw in raws]
            take = partial(sets.transfer_from_queue, part.name, "schedule")
            moved += sum(carry(self._atlas, part.island, take, jobs))
        return moved

    def each_list(
        self, queues: Sequence[str], ask: Callable[[Store, list[str]], Mapping[str, T]]
    ) -> dict[str, dict[str, T]]:
        """Ask each island once for its lists of some queues. Answers by queue and list."""
        wanted: dict[int, tuple[Store, list[str]]] = {}
        for queue in queues:
            for island, name in self._atlas.parts(queue):
                wanted.setdefault(id(island), (island, []))[1].append(name)
        answers: dict[str, T] = {}
        for island, names in wanted.values():
            answers.update(ask(island, names))
        return {queue: {part.name: answers[part.name] for part in self._atlas.parts(queue)} for queue in queues}

    def _islands(self) -> list[Store]:
        return self._atlas.islands(self._servers)


def _joined(dealt: Iterable[tuple[Store, list[Entry]]]) -> list[tuple[Store, list[Entry]]]:
    """All of one island at once."""
    found: dict[int, tuple[Store, list[Entry]]] = {}
    for island, entries in dealt:
        found.setdefault(id(island), (island, []))[1].extend(entries)
    return list(found.values())


def came(raw: bytes) -> float:
    """When a job came into its queue, epoch seconds; 0 where nobody can tell."""
    try:
        payload = Payload.decode(raw)
    except MalformedPayload:
        return 0.0
    return payload.enqueued_at or payload.created_at or 0.0


def earliest(raws: Iterable[bytes | None]) -> bytes | None:
    """Of the next jobs of several lists, the one that has waited longest."""
    return min((raw for raw in raws if raw is not None), key=came, default=None)


def _state(name: str, states: Sequence[State]) -> State:
    closed = [state for state in states if state.paused]
    note = next((state.note for state in closed if state.note), {})
    oldest = earliest(state.oldest for state in states)
    suspects = sum(state.suspects for state in states)
    return State(name, sum(state.size for state in states), oldest, bool(closed), note, suspects)
