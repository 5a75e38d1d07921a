"""Workers of other programs on the same Redis, Ruby's say: what they run stands in Sidekiq's keys alone."""

import json
from collections.abc import Sequence
from typing import Any

from kiq_django import clock
from kiq_django.store.keys import Keys, name_of, spelled
from kiq_django.store.link import Link

OUR_VERSION = b'"version":"kiq_django'
"""How our workers call themselves in their `info`; Sidekiq writes a bare number there, or nothing."""
SEEN_EXPIRY = 8 * 86_400
"""Seconds: for as long as any figures of jobs are kept."""
MOST_PROCESSES = 500
"""Of which `info` is read."""


class Others:
    """Whether there are any, and which queues they serve."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def queues(self) -> set[str] | None:
        """Queues that living workers of other programs serve; None when there is no such worker. Two round trips."""
        found = [_queues(info) for info in self._infos(self._link.call("SMEMBERS", self._keys.processes()))]
        return set().union(*found) if found else None

    def note(self) -> None:
        """Remember that there are some now."""
        self._link.call("SET", self._keys.sidekiq_seen(), repr(clock.now()), "EX", SEEN_EXPIRY)

    def were_here(self) -> bool:
        """Whether some live now, or were seen since figures are kept. At most two round trips."""
        pipe = self._link.pipeline()
        pipe.exists(self._keys.sidekiq_seen())
        pipe.smembers(self._keys.processes())
        seen, processes = self._link.execute(pipe)
        return bool(seen) or bool(self._infos(processes))

    def _infos(self, processes: Sequence[bytes]) -> list[bytes]:
        """What those say of themselves that live and are not ours."""
        pipe = self._link.pipeline()
        for identity in sorted(processes)[:MOST_PROCESSES]:
            pipe.hget(spelled(self._keys.process(name_of(identity))), "info")
        infos = self._link.execute(pipe, tolerant=True)
        return [info for info in infos if info and OUR_VERSION not in info.replace(b'": "', b'":"')]


def _queues(info: bytes) -> set[str]:
    """Sidekiq tells them as `queues`, as the keys of `weights` (one object, or one a capsule), or in `capsules`."""
    try:
        said = json.loads(info)
    except ValueError:
        return set()
    if not isinstance(said, dict):
        return set()
    if isinstance(said.get("queues"), list):
        return {str(queue) for queue in said["queues"]}
    return _weights(said.get("weights")) | _weights(_capsules(said.get("capsules")))


def _capsules(said: Any) -> list[Any]:
    found = said.values() if isinstance(said, dict) else ()
    return [capsule.get("weights") for capsule in found if isinstance(capsule, dict)]


def _weights(said: Any) -> set[str]:
    return {
        str(name) for each in (said if isinstance(said, list) else [said]) if isinstance(each, dict) for name in each
    }
