"""Where the jobs of a queue lie: on which server, on which island of it, in which lists.

People know queues. Below a queue are its *lists*: its own, and those of its partitions. Each list lies on an *island*,
a plain `Store` that scripts do not leave: a whole server in Sidekiq's layout, the slot of the list in the cluster's.
"""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from kiq_django.exceptions import ConfigurationError, MalformedPayload
from kiq_django.payload import PARTITION_KEY, Payload
from kiq_django.sections import QueueSettings
from kiq_django.store.fleet.server import Server
from kiq_django.store.island import Store

KEYED = f'"{PARTITION_KEY}"'.encode()


class Part(NamedTuple):
    """One list."""

    island: Store
    name: str


class Atlas:
    """All servers, and which queues are whose. Used by many threads at once."""

    def __init__(
        self, servers: Sequence[Server], queues: Mapping[str, QueueSettings], homes: Mapping[str, int]
    ) -> None:
        """`homes` has the number of the server of each queue that is not on the first."""
        self._servers = servers
        self._homes = homes
        self._lists = {name: queue.lists for name, queue in queues.items() if queue.partitions > 1}
        self._wholes = {part: name for name, lists in self._lists.items() for part in lists}
        self._own = {f"{name}:0": name for name in self._lists}
        self._wholes |= self._own
        self._turns = {name: itertools.count(random.randrange(64)) for name in self._lists}  # noqa: S311

    # -- names ------------------------------------------------------------------------------------

    def lists(self, queue: str) -> Sequence[str]:
        """Names of the lists of a queue; the name of a list stands for itself."""
        return self._lists.get(queue, (queue,))

    def views(self, queue: str) -> Sequence[str]:
        """What people call the lists of a queue: `bulk:0` is its own, as `bulk` is all of them."""
        lists = self._lists.get(queue)
        return (queue,) if lists is None else (f"{queue}:0", *lists[1:])

    def whole(self, name: str) -> str:
        """The queue that a list belongs to."""
        return self._wholes.get(name, name)

    # -- places -----------------------------------------------------------------------------------

    def server(self, name: str) -> Server:
        """The server of a queue, or of a list."""
        return self._servers[self._homes.get(self.whole(name), 0)] if self._homes else self._servers[0]

    def island(self, name: str) -> Store:
        """Where a list is."""
        return self.server(name).island(name)

    def part(self, name: str) -> Part:
        """One list by its own name."""
        return Part(self.island(name), name)

    def parts(self, queue: str) -> list[Part]:
        """All lists of a queue."""
        return [self.part(self._own.get(name, name)) for name in self.lists(queue)]

    def pick(self, queue: str, raw: bytes, jid: str = "") -> Part:
        """The list that a job goes to: by its key, so that what has the same key keeps its order, or in turn.

        With a `jid` it goes by that instead of in turn: the same job to the same list.
        """
        lists = self._lists.get(queue)
        if lists is None:
            return self.part(queue)
        key = (_key(raw) if KEYED in raw else None) or jid or None
        number = next(self._turns[queue]) if key is None else crc32(key.encode(errors="surrogatepass"))
        return self.part(lists[1 + number % (len(lists) - 1)])

    # -- everything -------------------------------------------------------------------------------

    @property
    def servers(self) -> Sequence[Server]:
        """The first is the one of `KIQ["REDIS"]`."""
        return self._servers

    def islands(self, servers: Sequence[Server] | None = None) -> list[Store]:
        """All there are; of some servers alone when these are given."""
        return [island for server in servers or self._servers for island in server.islands()]

    def serving(self, queues: Mapping[str, Any]) -> Server:
        """The one server of these queues.

        Raises:
            ConfigurationError: they lie on several.
        """
        found: dict[int, list[str]] = {}
        for queue in queues:
            found.setdefault(self._homes.get(self.whole(queue), 0), []).append(queue)
        if len(found) > 1:
            raise ConfigurationError(_mixed([(str(self._servers[n].target), names) for n, names in found.items()]))
        return self._servers[next(iter(found))]


def _key(raw: bytes) -> str | None:
    try:
        key = Payload.decode(raw).document.get(PARTITION_KEY)
    except MalformedPayload:
        return None
    return key if isinstance(key, str) else None


def _mixed(found: Sequence[tuple[str, Sequence[str]]]) -> str:
    places = "; ".join(f"{', '.join(names)} at {place}" for place, names in found)
    _, (_, others), *_ = found
    capsule = f'"capsules": {{"{others[0]}": {{"queues": {list(others)!r}, "concurrency": 5}}}}'
    return (
        f"One set of threads cannot serve queues of several servers ({places}). Give each server a worker process "
        f"(runworker -q {' -q '.join(others)}), or a capsule: KIQ['WORKER'] = {{{capsule}}}"
    )


def merged(names: Iterator[str]) -> list[str]:
    """Each once, sorted."""
    return sorted(set(names))
