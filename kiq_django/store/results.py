"""Results of jobs that keep one, and how far running jobs say to be: fields of `kiq:job:<jid>`, see `store/records.py`.

| field | holds |
| --- | --- |
| `kept` | seconds for which the result is kept; written with the push, of a job that keeps one |
| `result` | JSON: what the job returned; comes with the settle |
| `progress` | JSON: how far the job is, as it said last |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kiq_django.store.alink import AsyncLink
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.records import Record, read_hash

PROGRESS_SECONDS: Final = 86_400
"""For which the progress of a job is kept that has no record otherwise."""


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What is stored of one job's outcome."""

    record: Record | None
    """None before the first end of a run."""
    result: bytes
    """JSON; empty when there is none."""
    progress: bytes
    """JSON; empty when the job has not told."""
    is_kept: bool
    """The job keeps its result."""


class Results:
    """The results of one Redis; each call has its twin for event loops. What jobs return comes with a settle, see
    `Working.turn`."""

    def __init__(self, link: Link, keys: Keys, alink: AsyncLink) -> None:
        self._link = link
        self._alink = alink
        self._keys = keys

    def read(self, jid: str) -> StoredResult | None:
        """What is stored of a job, in one round trip; None when nothing is."""
        return _stored(jid, self._link.send([self._reading(jid)])[0])

    async def aread(self, jid: str) -> StoredResult | None:
        """`read` from an event loop."""
        return _stored(jid, (await self._alink.send([self._reading(jid)]))[0])

    def tell(self, jid: str, progress: bytes) -> None:
        """Note how far a job is."""
        if self._link.send(self._telling(jid, progress))[-1] == -1:
            self._link.call("EXPIRE", self._keys.job("", jid), PROGRESS_SECONDS)

    async def atell(self, jid: str, progress: bytes) -> None:
        """`tell` from an event loop."""
        if (await self._alink.send(self._telling(jid, progress)))[-1] == -1:
            await self._alink.call("EXPIRE", self._keys.job("", jid), PROGRESS_SECONDS)

    def _reading(self, jid: str) -> tuple[Any, ...]:
        return ("HGETALL", self._keys.job("", jid))

    def _telling(self, jid: str, progress: bytes) -> list[tuple[Any, ...]]:
        key = self._keys.job("", jid)
        return [("HSET", key, "progress", progress), ("PTTL", key)]


def _stored(jid: str, found: Sequence[bytes]) -> StoredResult | None:
    names = (name.decode("utf-8", "replace") for name in found[::2])
    named: Mapping[str, bytes] = dict(zip(names, found[1::2], strict=True))
    if not named:
        return None
    is_kept = "kept" in named or "task" in named
    return StoredResult(read_hash(jid, named), named.get("result", b""), named.get("progress", b""), is_kept)
