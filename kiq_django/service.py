"""The one loop of everything that works beside the jobs: a named thread that ticks until it is stopped."""

import logging
import threading
from collections.abc import Callable

from kiq_django.exceptions import StoreError

logger = logging.getLogger("kiq_django.worker")


class Service:
    """Calls `tick` again and again. An error in a tick is logged, and the next tick comes all the same.

    Subclasses write `tick`, and `interval` where it is not a constant. `ticks` counts those that ended,
    so that tests can wait for one.
    """

    def __init__(self, name: str, interval: float = 5.0) -> None:
        self.name = name
        self.ticks = 0
        self._interval = interval
        self._wake = threading.Event()
        self._stopping = False
        self._away = False
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Do the duty once."""
        raise NotImplementedError

    def interval(self) -> float:
        """Seconds until the next tick."""
        return self._interval

    def first_wait(self) -> float:
        """Seconds before the first tick."""
        return 0.0

    def last_tick(self) -> None:
        """Called once when the service has been stopped, by its own thread: for what must not be left undone."""

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=f"kiq-{self.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tick now."""
        self._wake.set()

    def stop(self) -> None:
        """Ask the thread to end after the tick it is in."""
        self._stopping = True
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the end. False when it is still in a tick."""
        if self._thread is not None:
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        self._rest(self.first_wait)
        while not self._stopping:
            self._guarded(self.tick)
            self.ticks += 1
            self._rest(self.interval)
        self._guarded(self.last_tick)

    def _rest(self, seconds: Callable[[], float]) -> None:
        if not self._stopping:
            self._wake.wait(seconds())
            self._wake.clear()

    def _guarded(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except StoreError as error:
            # The fetcher says that Redis is away; once is enough here, until it is back.
            if not self._away:
                logger.warning("%s: %s", self.name, error)
            self._away = True
        except Exception:
            logger.exception("%s: an error in this round; the next one comes as planned", self.name)
        else:
            self._away = False
