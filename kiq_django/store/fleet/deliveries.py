"""Pushes that promise more, each on the island of its list."""

from collections.abc import Iterable, Sequence

from kiq_django.exceptions import NotReplicated
from kiq_django.store.deliveries import Deliveries
from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.server import Server
from kiq_django.store.island import Store
from kiq_django.store.queues import Entry
from kiq_django.store.tasks import TaskEntry

Job = Entry | TaskEntry


class FleetDeliveries(Deliveries):
    """Deliveries of a fleet."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def push(self, jobs: Sequence[Job], replicas: int) -> None:
        trouble: NotReplicated | None = None
        for island, numbers, own in self._dealt(jobs, [""] * len(jobs)):
            del numbers
            try:
                island.deliveries.push(own, replicas)
            except NotReplicated as error:  # it is pushed; the others shall be too
                trouble = error
        if trouble:
            raise trouble

    def push_once(self, jids: Sequence[str], jobs: Sequence[Job], replicas: int = 0) -> list[bool]:
        """The list goes by the id: that it was pushed is noted there, and a second push has to come by."""
        found = [False] * len(jobs)
        trouble: NotReplicated | None = None
        for island, numbers, own in self._dealt(jobs, jids):
            try:
                pushed = island.deliveries.push_once([jids[number] for number in numbers], own, replicas)
            except NotReplicated as error:
                trouble = error
                continue
            for number, is_new in zip(numbers, pushed, strict=True):
                found[number] = is_new
        if trouble:
            raise trouble
        return found

    def forget(self, jids: Sequence[str]) -> None:
        """In the cluster layout nobody knows where the notes are: they end by themselves."""
        for server in self._servers:
            if not server.is_tagged:
                server.home.deliveries.forget(jids)

    def may_relay(self, seconds: float) -> bool:
        return self._servers[0].home.deliveries.may_relay(seconds)

    def _dealt(self, jobs: Sequence[Job], jids: Sequence[str]) -> Iterable[tuple[Store, list[int], list[Job]]]:
        dealt: dict[int, tuple[Store, list[int], list[Job]]] = {}
        for number, (job, jid) in enumerate(zip(jobs, jids, strict=True)):
            entry = job.entry if isinstance(job, TaskEntry) else job
            island, name = self._atlas.pick(entry.queue, entry.raw, jid)
            self._atlas.server(name).note([name])
            own = entry._replace(queue=name)
            _, numbers, mine = dealt.setdefault(id(island), (island, [], []))
            numbers.append(number)
            mine.append(job._replace(entry=own) if isinstance(job, TaskEntry) else own)
        return dealt.values()
