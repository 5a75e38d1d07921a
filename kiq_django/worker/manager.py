"""One capsule: a fetcher and the threads that it feeds."""

import logging
import threading

from kiq_django import clock
from kiq_django.context import StopFlag
from kiq_django.store import Store
from kiq_django.worker.buffer import Buffer
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.event_loop import EventLoop
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.journal import Journal
from kiq_django.worker.processor import Processor

logger = logging.getLogger("kiq_django.worker")


class Manager:
    """Starts the threads of a capsule, replaces one that died, and sees them to their end."""

    def __init__(
        self,
        capsule: CapsuleConfig,
        config: WorkerConfig,
        store: Store,
        event_loop: EventLoop,
        stop_flag: StopFlag,
        journal: Journal | None = None,
    ) -> None:
        self.capsule = capsule
        self.replaced = 0
        """Threads that died and were replaced."""
        self._buffer = Buffer()
        self._event_loop = event_loop
        self._stop_flag = stop_flag
        self._journal = journal
        self._lock = threading.Lock()
        self.fetcher = Fetcher(
            capsule,
            config.identity,
            store,
            self._buffer,
            lease=config.lease,
            audit_every=config.heartbeat,
            journal=journal,
            drain=config.drain,
            places=lambda: event_loop.free_places - len(self._buffer),
            line=event_loop.line,
        )
        self.processors = [self._processor(number) for number in range(capsule.concurrency)]

    def start(self) -> None:
        """Threads first: what is fetched finds somebody."""
        for processor in self.processors:
            processor.thread.start()
        self.fetcher.start()

    def quiet(self) -> None:
        """Take no more jobs."""
        self.fetcher.quiet()

    def stop(self) -> None:
        """End once what runs has finished."""
        self.fetcher.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the end of what runs, and of what is to be done after it. False when time was up first."""
        deadline = clock.monotonic() + timeout
        if not self.fetcher.join(timeout):
            return False
        self._buffer.close()
        for processor in list(self.processors):
            processor.thread.join(max(0.0, deadline - clock.monotonic()))
        return not any(processor.thread.is_alive() for processor in self.processors)

    def dismiss(self) -> None:
        """Let each thread end as soon as it has nothing to run: the process may live on, as a web server's does."""
        self._buffer.close()

    def _processor(self, number: int) -> Processor:
        name = f"kiq-{self.capsule.name}-{number}"
        return Processor(
            name, self._buffer, self.fetcher, self._event_loop, self._stop_flag, self._replace, self._journal
        )

    def _replace(self, dead: Processor) -> None:
        """Called by the dying thread itself."""
        with self._lock:
            self.replaced += 1
            index = self.processors.index(dead)
            self.processors[index] = successor = self._processor(index)
        successor.thread.start()
