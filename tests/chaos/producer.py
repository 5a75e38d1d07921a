"""Whoever enqueues: remembers of each push whether it was stored, refused, or nobody knows."""

import random
import threading
from typing import Literal, NamedTuple

from kiq_django import clock, conf
from kiq_django.exceptions import StoreError, StoreRefused
from kiq_django.payload import Payload
from kiq_django.store import Store, connections
from kiq_django.store.queues import Entry
from tests.chaos.arena import Arena
from tests.chaos.look import left

Outcome = Literal["ok", "fail", "unknown"]
MODULE = "tests.chaos.app.jobs"
MOST_WAITING = 300
"""Jobs: more are not pushed until some have run."""
LATER = 0.5
"""Seconds in which scheduled jobs are due."""


class Pushed(NamedTuple):
    """One job on its way in."""

    kind: str
    raw: bytes
    begins: int
    """How often it begins when nothing goes wrong."""
    outcome: Outcome


class Producer:
    """A thread that pushes jobs until it is stopped."""

    def __init__(self, arena: Arena, chance: random.Random) -> None:
        self.pushed: dict[int, Pushed] = {}
        self._arena = arena
        self._chance = chance
        self._store = Store(connections.target(arena.line.url), "", conf.get().limits, "commands")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)

    def start(self) -> None:
        """Begin to push."""
        self._thread.start()

    def stop(self) -> None:
        """End after the push that is under way."""
        self._over.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "a push does not end"

    def counts(self) -> dict[str, int]:
        """Pushes by outcome."""
        outcomes = [pushed.outcome for pushed in self.pushed.values()]
        return {outcome: outcomes.count(outcome) for outcome in ("ok", "fail", "unknown")}

    def _run(self) -> None:
        while not self._over.is_set():
            outcome = self._push(self._chance.choice((1, 1, 2, 20)))
            self._over.wait(0.02 if outcome == "ok" else 0.1)
            while not self._over.is_set() and self._many_wait():
                self._over.wait(0.05)

    def _many_wait(self) -> bool:
        try:
            return left(self._arena.store) > MOST_WAITING
        except StoreError:
            return False

    def _push(self, count: int) -> Outcome:
        """Jobs of one push go to one queue: of several some might be stored, and the others refused."""
        outcome: Outcome = "ok"
        queue = self._chance.choice(("default", "default", "critical"))
        at = clock.now() + self._chance.uniform(0, LATER) if self._chance.random() < 0.1 else None
        jobs = {number: self._job(number, queue) for number in range(len(self.pushed), len(self.pushed) + count)}
        try:
            self._store.queues.push([Entry(queue, job.raw, at) for job in jobs.values()])
        except StoreRefused:
            outcome = "fail"
        except StoreError:
            outcome = "unknown"
        self.pushed.update({number: job._replace(outcome=outcome) for number, job in jobs.items()})
        return outcome

    def _job(self, number: int, queue: str) -> Pushed:
        chance = self._chance
        kind = chance.choices(("work", "awork", "flaky", "die", "unreadable"), (70, 10, 12, 4, 4))[0]
        if kind == "unreadable":
            return Pushed(kind, b"{%d" % number, 0, "unknown")
        seconds = chance.choices((0.0, 0.002, 0.02, 0.2, 1.0), (30, 40, 20, 8, 2))[0]
        failures = chance.choice((1, 1, 2))
        args = {"work": [seconds], "awork": [seconds], "flaky": [failures], "die": []}[kind]
        made = Payload.new(
            f"{MODULE}.{kind}",
            [number, *args],
            {},
            jid=f"{number:024x}",
            queue=queue,
            retry=0 if kind == "die" else True,
            now=clock.now(),
        )
        return Pushed(kind, made.encode(), failures + 1 if kind == "flaky" else 1, "unknown")
