"""Whoever makes things go wrong: one for the workers, one for the server and the lines to it."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import redis

from kiq_django.store import scripts
from tests.chaos.arena import LEASE, STOP_TIMEOUT, Arena, Slot
from tests.support import wait_for

SCRIPTS = ("reserve", "settle", "promote", "reclaim", "lease", "beat", "due", "expired")
"""Whose answers are lost."""
PATIENCE = 60
"""Seconds in which jobs must run again, or a worker end, lest it counts as never."""


class Nemesis:
    """Does one evil after the other, in a thread, until it is stopped."""

    def __init__(self, arena: Arena, chance: random.Random, evils: Mapping[str, int], only: str = "") -> None:
        """`evils`: names of methods, and how often each is to come; `only` those whose name contains a text."""
        self.arena = arena
        self.done: Counter[str] = Counter()
        self.troubles: list[str] = []
        self._evils = {name: weight for name, weight in evils.items() if only in name}
        self._chance = chance
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._evils:
            self._thread.start()

    def stop(self) -> None:
        """End after the evil that is under way."""
        self._over.set()
        if self._evils:
            self._thread.join(2 * PATIENCE)
            assert not self._thread.is_alive(), "an evil without end"

    def _run(self) -> None:
        while not self._over.wait(self._chance.uniform(0.1, 0.8)):
            [name] = self._chance.choices(list(self._evils), list(self._evils.values()))
            evil: Callable[[], None] = getattr(self, name)
            try:
                evil()
            except Exception as error:
                self.troubles.append(f"{name}: {error!r}")
            self.done[name] += 1

    def _while(self, least: float, most: float) -> None:
        """It lasts."""
        threading.Event().wait(self._chance.uniform(least, most))


class WorkersNemesis(Nemesis):
    """Kills, stops and freezes workers."""

    EVILS: Mapping[str, int] = {
        "kill": 8,
        "freeze": 2,
        "freeze_beyond_the_lease": 1,
        "stop": 3,
        "stop_twice": 2,
        "stop_then_kill": 2,
        "quiet_then_stop": 1,
    }

    def __init__(self, arena: Arena, chance: random.Random, only: str = "") -> None:
        super().__init__(arena, chance, self.EVILS, only)
        self.endings: list[float] = []
        """Seconds that workers took to end when they were told to."""

    def kill(self) -> None:
        with self._victim() as slot:
            slot.worker.kill()

    def freeze(self) -> None:
        self._frozen(0.1, LEASE / 2)

    def freeze_beyond_the_lease(self) -> None:
        self._frozen(LEASE, 2 * LEASE)

    def stop(self_or_nemesis) -> None:  # type: ignore[override]
        raise NotImplementedError

    def _frozen(self, least: float, most: float) -> None:
        with self._victim() as slot:
            slot.worker.send(signal.SIGSTOP)
            self._while(least, most)
            slot.worker.send(signal.SIGCONT)

    def _victim(self) -> Any:
        raise NotImplementedError
