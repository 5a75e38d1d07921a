"""Which names of jobs were parked because no code of a worker declares them: an index beside the retry set."""

from collections.abc import Iterable, Sequence

from kiq_django.store.keys import Keys
from kiq_django.store.link import Link

MOST = 1000
"""Names of one queue; names come from whoever pushes. A job that is not in the index comes back when it is due."""
FORGET_AFTER = 31 * 86_400
"""Seconds."""


class Unroutable:
    """Names by queue, so that whoever comes to know one finds its jobs at once."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def note(self, found: Iterable[tuple[str, str]]) -> None:
        """Jobs of these queues and names were parked."""
        pairs = list(found)
        pipe = self._link.pipeline()
        for queue, _ in pairs:
            pipe.scard(self._keys.unroutable(queue))
        sizes = self._link.execute(pipe)
        pipe = self._link.pipeline()
        for (queue, name), size in zip(pairs, sizes, strict=True):
            if size < MOST:
                pipe.sadd(self._keys.unroutable(queue), _bytes(name))
                pipe.expire(self._keys.unroutable(queue), FORGET_AFTER)
        self._link.execute(pipe)

    def names(self, queues: Sequence[str]) -> list[tuple[str, str]]:
        """Queue and name of all that are parked in these queues, in one round trip."""
        pipe = self._link.pipeline()
        for queue in queues:
            pipe.smembers(self._keys.unroutable(queue))
        replies = self._link.execute(pipe)
        found = zip(queues, replies, strict=True)
        return [(queue, name.decode(errors="replace")) for queue, names in found for name in names]

    def claim(self, queue: str, name: str) -> bool:
        """Take a name off the index, to release its jobs. False when somebody else does."""
        return bool(self._link.call("SREM", self._keys.unroutable(queue), _bytes(name)))


def _bytes(name: str) -> bytes:
    return name.encode(errors="replace")
