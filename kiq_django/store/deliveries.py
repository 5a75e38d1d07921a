"""Pushes that promise more than a plain one, and cost more: once and never twice, and onto replicas."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import redis

from kiq_django import sections
from kiq_django.exceptions import NotReplicated
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.queues import Entry, Queues
from kiq_django.store.tasks import TaskEntry, entering

REMEMBERED: Final = 7 * 86_400
"""Seconds. A row that lies in an outbox for longer after its push, with no worker to cross it out, is pushed again."""
STILL_ASKED: Final = 300
"""Seconds after the row is gone: somebody may have read it before."""
AT_ONCE: Final = 1_000
"""Deliveries that are let go with one push."""


class Deliveries:
    """Used by many threads at once."""

    def __init__(self, link: Link, keys: Keys, queues: Queues, limits: sections.Limits) -> None:
        self._link = link
        self._keys = keys
        self._queues = queues
        self._wait_seconds = limits.replica_seconds
        self._over: deque[str] = deque(maxlen=100 * AT_ONCE)
        """Ids whose rows are gone: with the next push their keys are let go, which costs no round trip of its own."""

    def push(self, jobs: Sequence[Entry | TaskEntry], replicas: int) -> None:
        """Push jobs, and wait in the same round trip until so many replicas have them.

        Raises:
            NotReplicated: they are pushed, and fewer replicas have them.
            StoreError: as for `Queues.push`.
        """
        commands = self._queues.pushing([job for job in jobs if isinstance(job, Entry)])
        commands += [self._prepare(job) for job in jobs if isinstance(job, TaskEntry)]
        self._send(commands, replicas)

    def push_once(self, jids: Sequence[str], jobs: Sequence[Entry | TaskEntry], replicas: int = 0) -> list[bool]:
        """Push those jobs that were not pushed so before, each in one step with the note that it was.

        Args:
            jids: of the jobs.
            replicas: as for `push`; those that were pushed before must be there too.

        Returns:
            For each whether it was pushed by this call.

        Raises:
            As for `push`. Whatever it is, the call may be repeated.
        """
        before = self._queues.beginning(job for job in jobs if isinstance(job, Entry))
        commands = [self._prepare(job, jid) for jid, job in zip(jids, jobs, strict=True)]
        replies = self._send([*before, *commands, *self._letting_go()], replicas)
        return [reply == 1 for reply in replies[len(before) :][: len(jids)]]

    def forget(self, jids: Sequence[str]) -> None:
        """The rows of these are gone: nobody will ask for them again."""
        self._over.extend(jids)

    def may_relay(self, seconds: float) -> bool:
        """Whether it is on the caller to look into the outboxes now; for `seconds` nobody else is told so."""
        return bool(self._link.call("SET", self._keys.relay(), "1", "NX", "PX", int(seconds * 1000)))

    def _prepare(self, job: Entry | TaskEntry, jid: str = "") -> tuple[Any, ...]:
        if isinstance(job, TaskEntry):
            script, queue, (names, args) = "enter", job.entry.queue, entering(self._keys, job)
        else:
            script, queue, (names, args) = "push", job.queue, self._pushing(job)
        if not jid:
            return self._link.prepare(script, names, args)
        return self._link.prepare(f"once/{script}", [self._keys.delivered(queue, jid), *names], [REMEMBERED, *args])

    def _pushing(self, job: Entry) -> tuple[list[str], list[Any]]:
        keys = self._keys
        names = [keys.queues(), keys.queue(job.queue), keys.job_set("schedule", job.queue)]
        return names, [job.queue, job.raw, "" if job.at is None else job.at]

    def _letting_go(self) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        while self._over and len(found) < AT_ONCE:
            try:
                found.append(("EXPIRE", self._keys.delivered("", self._over.popleft()), STILL_ASKED))
            except IndexError:  # another thread had the last one
                break
        return found

    def _send(self, commands: list[tuple[Any, ...]], replicas: int) -> list[Any]:
        if not replicas:
            return self._link.run(commands)
        replies, have = self._link.run_before(("WAIT", replicas, int(self._wait_seconds * 1000)), commands)
        if isinstance(have, redis.RedisError) or have < replicas:
            raise self._too_few(have, replicas)
        return replies

    def _too_few(self, have: Any, wanted: int) -> NotReplicated:
        if isinstance(have, redis.RedisError):
            found = f"the server does not say whether its replicas have it ({have})"
        else:
            found = f"{have} of {wanted} wanted replicas confirmed it within {self._wait_seconds:g} s"
        return NotReplicated(
            f"The job is stored in Redis at {self._link.target} and will run, but {found}: "
            "a failover now could lose it. Do not enqueue it again"
        )
