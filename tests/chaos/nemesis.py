"""Whoever makes things go wrong, one evil after the other, until it is told to end."""

import random
import threading
from collections import Counter
from collections.abc import Mapping

from tests import faults
from tests.chaos.arena import Arena

PATIENCE = 60
"""Seconds in which an evil must have an end: a worker that was told to stop, a server that was healed."""


class Nemesis:
    """A thread. Subclasses have one method an evil, which brings it and takes it away again."""

    EVILS: Mapping[str, int] = {}
    """Names of the methods, and how often each is to come."""

    def __init__(self, arena: Arena, seed: str, only: str = "") -> None:
        """`only` those evils whose name contains a text."""
        self.arena = arena
        self.done: Counter[str] = Counter()
        self.troubles: list[str] = []
        """What did not go as it must."""
        self.chance = random.Random(seed)
        self._evils = {name: weight for name, weight in self.EVILS.items() if only in name}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Let the evil that is under way come to its end, and bring no more."""
        self._over.set()
        self._thread.join(2 * PATIENCE)
        if self._thread.is_alive():
            self.troubles.append(f"{type(self).__name__} does not end")

    def last(self, least: float, most: float) -> None:
        """An evil lasts, for a time by chance."""
        faults.last(self.chance.uniform(least, most))

    def _run(self) -> None:
        while self._evils and not self._over.wait(self.chance.uniform(0.1, 0.8)):
            [name] = self.chance.choices(list(self._evils), list(self._evils.values()))
            try:
                getattr(self, name)()
            except Exception as error:
                self.troubles.append(f"{name}: {error!r}")
            self.done[name] += 1
