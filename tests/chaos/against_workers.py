"""Workers that are killed, frozen and stopped."""

import signal
import time
from collections.abc import Callable, Mapping

from tests.chaos.arena import LEASE, Arena, Slot
from tests.chaos.nemesis import PATIENCE, Nemesis

KILLED = (-signal.SIGKILL,)
STOPPED = (0,)


class AgainstWorkers(Nemesis):
    """One worker at a time; another comes in the place of each that has ended."""

    EVILS: Mapping[str, int] = {
        "kill": 8,
        "freeze": 2,
        "freeze_beyond_the_lease": 1,
        "stop": 3,
        "stop_twice": 2,
        "stop_then_kill": 2,
        "quiet_then_stop": 1,
    }

    def __init__(self, arena: Arena, seed: str, only: str = "") -> None:
        super().__init__(arena, seed, only)
        self.endings: list[float] = []
        """Seconds that workers took to end, once they were told to stop."""

    def kill(self) -> None:
        self._ended(KILLED, lambda slot: slot.worker.send(signal.SIGKILL))

    def freeze(self) -> None:
        self._frozen(0.1, LEASE / 2)

    def freeze_beyond_the_lease(self) -> None:
        self._frozen(LEASE, 2 * LEASE)

    def stop(self) -> None:
        self._ended(STOPPED, lambda slot: slot.worker.send(signal.SIGTERM))

    def stop_twice(self) -> None:
        def told_twice(slot: Slot) -> None:
            slot.worker.send(signal.SIGTERM)
            self.last(0.0, 0.5)
            slot.worker.send(signal.SIGTERM)

        self._ended(STOPPED, told_twice)

    def stop_then_kill(self) -> None:
        def told_and_killed(slot: Slot) -> None:
            slot.worker.send(signal.SIGTERM)
            self.last(0.0, 0.5)
            slot.worker.send(signal.SIGKILL)

        self._ended(STOPPED + KILLED, told_and_killed)

    def quiet_then_stop(self) -> None:
        def quieted(slot: Slot) -> None:
            slot.worker.send(signal.SIGTSTP)
            self.last(0.0, 0.5)
            slot.worker.send(signal.SIGTERM)

        self._ended(STOPPED, quieted)

    def _ended(self, codes: tuple[int, ...], action: Callable[[Slot], None]) -> None:
        slot = self.chance.choice(self.arena.slots)
        slot.worker.ready()
        began = time.monotonic()
        action(slot)
        code = slot.worker.wait(PATIENCE)
        if code == 0:
            self.endings.append(time.monotonic() - began)
        if code not in codes:
            self.troubles.append(f"a worker ended with {code}: {slot.worker.output[-2000:]}")
        slot.renew()

    def _frozen(self, least: float, most: float) -> None:
        slot = self.chance.choice(self.arena.slots)
        slot.worker.ready()
        slot.worker.send(signal.SIGSTOP)
        self.last(least, most)
        slot.worker.send(signal.SIGCONT)
