"""What is known of jobs by their ids, which do not tell the island: all are asked."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from kiq_django.payload import Payload
from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.server import Server
from kiq_django.store.island import Store
from kiq_django.store.keys import SetName
from kiq_django.store.records import Record, Records
from kiq_django.store.results import Results, StoredResult
from kiq_django.store.tasks import TaskEntry, TaskRecord, Tasks


class FleetRecords(Records):
    """Records of all islands. A job that went from one to another has one on each: the latest tells."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def read(self, jid: str) -> Record | None:
        found = [record for island in _with(self._atlas, self._servers, jid) if (record := island.records.read(jid))]
        return max(found, key=lambda record: record.written_at, default=None)

    def at_score(self, name: SetName, score: float) -> list[bytes]:
        return [raw for i in self._atlas.islands(self._servers) for raw in i.records.at_score(name, score)]


class FleetTasks(Tasks):
    """Tasks of `django.tasks`, each with its record on the island of its list."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def enter(self, tasks: Sequence[TaskEntry]) -> None:
        dealt: dict[int, tuple[Store, list[TaskEntry]]] = {}
        for task in tasks:
            island, name = self._atlas.pick(task.entry.queue, task.entry.raw)
            self._atlas.server(name).note([name])
            own = task._replace(entry=task.entry._replace(queue=name))
            dealt.setdefault(id(island), (island, []))[1].append(own)
        for island, each in dealt.values():
            island.tasks.enter(each)

    def begin(self, jid: str, payload: bytes, started_at: float, worker: str) -> TaskRecord:
        parts = self._atlas.parts(Payload.decode(payload).queue)
        known = _having([part.island for part in parts], jid) or _with(self._atlas, self._servers, jid)
        island = known[0] if known else parts[0].island
        return island.tasks.begin(jid, payload, started_at, worker)

    async def aenter(self, tasks: Sequence[TaskEntry]) -> None:
        await asyncio.to_thread(self.enter, tasks)

    async def abegin(self, jid: str, payload: bytes, started_at: float, worker: str) -> TaskRecord:
        return await asyncio.to_thread(self.begin, jid, payload, started_at, worker)

    async def aread(self, jid: str) -> TaskRecord | None:
        return await asyncio.to_thread(self.read, jid)

    async def alives(self, worker: str) -> bool:
        return await asyncio.to_thread(self.lives, worker)

    def read(self, jid: str) -> TaskRecord | None:
        found = [task for island in _with(self._atlas, self._servers, jid) if (task := island.tasks.read(jid))]
        return max(found, key=lambda task: task.record.written_at if task.record else 0.0, default=None)

    def lives(self, worker: str) -> bool:
        return any(server.home.tasks.lives(worker) for server in self._servers)


class FleetResults(Results):
    """Results of all islands. What a job tells before it has a record there is kept at home."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def read(self, jid: str) -> StoredResult | None:
        islands = [self._servers[0].home, *_with(self._atlas, self._servers, jid)]
        found = [each for island in islands if (each := island.results.read(jid))]
        if len(found) < 2:
            return found[0] if found else None
        records = [each.record for each in found if each.record]
        return StoredResult(
            record=max(records, key=lambda record: record.written_at, default=None),
            result=next((each.result for each in found if each.result), b""),
            progress=next((each.progress for each in found if each.progress), b""),
            is_kept=any(each.is_kept for each in found),
        )

    async def aread(self, jid: str) -> StoredResult | None:
        return await asyncio.to_thread(self.read, jid)

    def tell(self, jid: str, progress: bytes) -> None:
        known = _with(self._atlas, self._servers, jid)
        (known[0] if known else self._servers[0].home).results.tell(jid, progress)

    async def atell(self, jid: str, progress: bytes) -> None:
        await asyncio.to_thread(self.tell, jid, progress)


def _with(atlas: Atlas, servers: Sequence[Server], jid: str) -> list[Store]:
    """Islands that have a record of a job: one round trip to each server."""
    return [island for server in servers for island in _having(server.islands(), jid)]


def _having(islands: Sequence[Store], jid: str) -> list[Store]:
    by_link: dict[int, list[Store]] = {}
    for island in islands:
        by_link.setdefault(id(island.link), []).append(island)
    found: Mapping[int, Any] = {
        key: group[0].link.send([("EXISTS", island.keys.job("", jid)) for island in group])
        for key, group in by_link.items()
    }
    return [i for key, group in by_link.items() for i, is_there in zip(group, found[key], strict=True) if is_there]
