"""Says every few seconds that this process lives and what it does, and hears what it is told."""

import json
import logging
import os
import threading
from collections.abc import Callable, Sequence

from kiq_django import clock
from kiq_django.exceptions import StoreError
from kiq_django.service import Service
from kiq_django.store import Store
from kiq_django.version import __version__
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.event_loop import EventLoop
from kiq_django.worker.manager import Manager
from kiq_django.worker.memory import resident_kilobytes
from kiq_django.worker.reservation import Reservation

logger = logging.getLogger("kiq_django.worker")
SLOW_ROUND_TRIP = 50_000
"""Microseconds; five in a row are worth a warning (Sidekiq's figures)."""
SLOW_IN_A_ROW = 5


class Heartbeat(Service):
    """1. Prolongs the leases. 2. Writes process and running jobs. 3. Passes on a signal. 4. Adds up the totals."""

    def __init__(
        self,
        config: WorkerConfig,
        store: Store,
        managers: Sequence[Manager],
        event_loop: EventLoop,
        told: Callable[[str], None],
        beaten: Callable[[], None],
    ) -> None:
        super().__init__("heartbeat", config.heartbeat)
        self.is_quiet = False
        self._config = config
        self._store = store
        self._managers = managers
        self._event_loop = event_loop
        self._told = told
        self._beaten = beaten
        self._counted = (0, 0)
        self._info = json.dumps(_info(config), ensure_ascii=False, separators=(",", ":"))
        self._slow = 0

    def tick(self) -> None:
        """One beat. Leases first: they are what must not wait."""
        for manager in self._managers:
            manager.fetcher.renew()
        running = self.running()
        work = {name: _work_entry(job, since) for name, job, since in running}
        if signal := self._store.processes.beat(self._config.identity, self._fields(len(running)), work):
            logger.info("Told to %s through Redis", signal)
            self._told(signal)
        self._beaten()
        self.flush_totals()  # last: a full Redis refuses to count, and only that

    def flush_totals(self) -> None:
        """Write what was processed and failed since the last time. An answer that is lost counts twice."""
        now = self.totals()
        processed, failed = now[0] - self._counted[0], now[1] - self._counted[1]
        if processed or failed:
            self._store.counters.add_totals(processed, failed, clock.now())
            self._counted = now

    def totals(self) -> tuple[int, int]:
        """Runs that have ended here, and how many of them failed. Any thread."""
        settlers = [manager.fetcher.settler for manager in self._managers]
        return sum(settler.processed for settler in settlers), sum(settler.failed for settler in settlers)

    def leave(self) -> None:
        """The last beat: totals, and off the list."""
        try:
            self.flush_totals()
            self._store.processes.leave(self._config.identity)
        except StoreError as error:
            logger.warning("Could not leave the list of processes: %s It forgets this one in a minute.", error)

    def _fields(self, busy: int) -> dict[str, str]:
        return {
            "info": self._info,
            "concurrency": str(self._config.concurrency),
            "busy": str(busy),
            "beat": repr(clock.now()),
            "rtt_us": str(self._round_trip()),
            "quiet": "true" if self.is_quiet else "false",
            "rss": str(resident_kilobytes()),
        }

    def running(self) -> list[tuple[str, Reservation, float]]:
        """Thread, job and start of what runs; threads go on while we look."""
        threads = [processor for manager in self._managers for processor in list(manager.processors)]
        current = [(_thread_id(each.thread), each.current) for each in threads]
        running = [(name, *what) for name, what in current if what is not None]
        own = {f"{self._config.identity}:{manager.capsule.name}" for manager in self._managers}
        begun = [(job, since) for job, since in list(self._event_loop.running.items()) if _prefix(job) in own]
        return [*running, *((f"async-{id(job):x}", job, since) for job, since in begun)]

    def _round_trip(self) -> int:
        microseconds = self._store.processes.ping()
        self._slow = self._slow + 1 if microseconds > SLOW_ROUND_TRIP else 0
        if self._slow == SLOW_IN_A_ROW:
            logger.warning("Redis answers slowly: %d ms for a round trip, five times in a row", microseconds // 1000)
        return microseconds


def _prefix(job: Reservation) -> str:
    """The name of an owner without that which makes it one of its kind."""
    return job.owner.rpartition(":")[0]


def _work_entry(job: Reservation, since: float) -> bytes:
    """`run_at` in whole seconds and the payload as a text: what every Sidekiq Web can read."""
    entry = {"queue": job.whole, "payload": job.raw.decode(errors="replace"), "run_at": int(since)}
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _thread_id(thread: threading.Thread) -> str:
    return f"{thread.native_id or 0:x}"


def _info(config: WorkerConfig) -> dict[str, object]:
    """Everything that Sidekiq 6.4 to 8.1 look for."""
    capsules = {
        capsule.name: {"concurrency": capsule.concurrency, "mode": capsule.mode, "weights": dict(capsule.queues)}
        for capsule in config.capsules
    }
    return {
        "hostname": config.identity.rsplit(":", 2)[0],
        "started_at": float(config.started_at),
        "pid": os.getpid(),
        "tag": config.tag,
        "concurrency": config.concurrency,
        "capsules": capsules,
        "queues": config.queues,
        "weights": [dict(capsule.queues) for capsule in config.capsules],
        "labels": list(config.labels),
        "identity": config.identity,
        "version": f"kiq_django {__version__}",
        "embedded": config.embedded,
    }
