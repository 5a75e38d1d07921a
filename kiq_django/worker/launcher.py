"""The worker process as a tree of parts: built here, started in order, stopped in reverse."""

import logging
import threading
from collections.abc import Callable, Sequence

from kiq_django import clock, plugins, signals
from kiq_django.service import Service
from kiq_django.store import Store
from kiq_django.store.connections import Target
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.event_loop import EventLoop
from kiq_django.worker.heartbeat import Heartbeat
from kiq_django.worker.journal import Journal
from kiq_django.worker.manager import Manager
from kiq_django.worker.poller import Poller
from kiq_django.worker.reaper import Reaper
from kiq_django.worker.unroutable import Unroutable
from kiq_django.worker.vigil import Vigil

logger = logging.getLogger("kiq_django.worker")
SERVICE_PATIENCE = 0.8
"""Seconds for a service to end the tick that it is in."""
LAST_WORDS = 1.0
"""Seconds after the deadline for what was pushed back to be written; a silent Redis must not keep us."""


class Launcher:
    """1. Heartbeat, so that the process is known before it takes a job. 2. Poller, reaper, the features' services.
    3. The capsules. Stopping goes the other way round, and the heartbeat ends last.
    """

    def __init__(
        self,
        config: WorkerConfig,
        store: Callable[[str], Store],
        told: Callable[[str], None],
        journal: Journal | None = None,
    ) -> None:
        """Build the tree; nothing runs yet.

        Args:
            store: gives the store for a purpose, each over connections of its own.
            told: called with the name of a signal that came through Redis.
        """
        self.config = config
        self.stop_flag = threading.Event()
        """Set when running jobs should come to an end: `current_job().interrupted`."""
        self._is_quiet = False
        self._event_loop = EventLoop(config.async_concurrency, self.stop_flag, journal)
        stores = [store("fetch").serving(capsule.queues) for capsule in config.capsules]
        self.managers = [
            Manager(capsule, config, own, self._event_loop, self.stop_flag, journal)
            for capsule, own in zip(config.capsules, stores, strict=True)
        ]
        upkeep = store("commands")
        # Each server has its own of these, so that one which is away keeps nobody from the others:
        self.heartbeats = self._heartbeats(store("heartbeat").servers(), [own.target for own in stores], told)
        self.pollers = [Poller(server, config.poll_interval) for server in upkeep.servers()]
        self.reapers = [Reaper(server, config.heartbeat, config.lease) for server in upkeep.servers()]
        self.unroutable = Unroutable(upkeep, config.queues)
        features = [make(upkeep) for feature in plugins.features() for make in feature.services]
        each: list[Service] = [*self.pollers, *self.reapers, *self.heartbeats[1:]]
        self.services: list[Service] = [*each, self.unroutable, Vigil(upkeep), *features]

    @property
    def heartbeat(self) -> Heartbeat:
        """The one at the server of `KIQ["REDIS"]`."""
        return self.heartbeats[0]

    @property
    def poller(self) -> Poller:
        """The one at the server of `KIQ["REDIS"]`."""
        return self.pollers[0]

    @property
    def reaper(self) -> Reaper:
        """The one at the server of `KIQ["REDIS"]`."""
        return self.reapers[0]

    def totals(self) -> tuple[int, int]:
        """Runs that have ended here, and how many of them failed. Any thread."""
        found = [heartbeat.totals() for heartbeat in self.heartbeats]
        return sum(runs for runs, _ in found), sum(failed for _, failed in found)

    def busy(self) -> int:
        """Jobs that run. Any thread."""
        return sum(len(heartbeat.running()) for heartbeat in self.heartbeats)

    def start(self) -> None:
        """Start everything."""
        signals.send(signals.worker_startup, None, worker=self)
        self.heartbeat.start()
        for service in self.services:
            service.start()
        for manager in self.managers:
            manager.start()

    def quiet(self) -> None:
        """Take no more jobs; what runs goes on, and the process stays."""
        if self._is_quiet:
            return
        self._is_quiet = True
        for heartbeat in self.heartbeats:
            heartbeat.is_quiet = True
        for manager in self.managers:
            manager.quiet()
        for poller in self.pollers:
            poller.stop()
        signals.send(signals.worker_quiet, None, worker=self)
        for heartbeat in self.heartbeats:
            heartbeat.wake()

    def stop(self, timeout: float, hurry: Callable[[], bool] = lambda: False) -> bool:
        """End: jobs get `timeout` seconds to finish, then they are pushed back to the front of their queues.

        Args:
            hurry: asked again and again; True ends the waiting at once.

        Returns:
            True when everything had finished; False when jobs were pushed back while they ran.
        """
        deadline = clock.monotonic() + timeout
        self.quiet()
        self.stop_flag.set()
        signals.send(signals.worker_shutdown, None, worker=self)
        for manager in self.managers:
            manager.stop()
        in_time = self._wait(deadline, hurry)
        told = in_time or self._abandon()
        for manager in self.managers:
            manager.dismiss()
        self._event_loop.stop(LAST_WORDS)
        self._end_services()
        if told:
            for heartbeat in self.heartbeats:
                heartbeat.leave()
        signals.send(signals.worker_exit, None, worker=self)
        return in_time

    @property
    def drained(self) -> bool:
        """Nothing is left to do: every capsule found its queues empty, after the last job of all had ended."""
        fetchers = [manager.fetcher for manager in self.managers]
        last_end = max(fetcher.finished_at for fetcher in fetchers)
        return all(fetcher.drained_at > last_end for fetcher in fetchers)

    def _wait(self, deadline: float, hurry: Callable[[], bool]) -> bool:
        waiting = list(self.managers)
        while waiting and clock.monotonic() < deadline and not hurry():
            waiting = [manager for manager in waiting if not manager.join(0.05)]
        return not waiting

    def _abandon(self) -> bool:
        """Push back first, cancel then: it is worse to lose a job than to run it twice. False when Redis is silent."""
        for manager in self.managers:
            manager.fetcher.abandon(LAST_WORDS / 2)
        end = clock.monotonic() + LAST_WORDS
        written = [manager.fetcher.join(max(0.05, end - clock.monotonic())) for manager in self.managers]
        return all(written)

    def _end_services(self) -> None:
        services = (*reversed(self.services), self.heartbeat)
        end = clock.monotonic() + SERVICE_PATIENCE
        for service in services:
            service.stop()
        for service in services:
            service.join(max(0.0, end - clock.monotonic()))

    def _heartbeats(
        self, servers: Sequence[Store], targets: Sequence[Target], told: Callable[[str], None]
    ) -> list[Heartbeat]:
        """One at each server whose queues are served here, and at the first in any case: it has the figures."""
        found: list[Heartbeat] = []
        for server in servers:
            own = [manager for manager, target in zip(self.managers, targets, strict=True) if target == server.target]
            if own or not found:
                beaten = _nobody if found else self._beaten
                found.append(Heartbeat(self.config, server, own, self._event_loop, told, beaten))
        return found

    def _beaten(self) -> None:
        signals.send(signals.worker_heartbeat, None, worker=self)


def _nobody() -> None:
    """A beat is told once, whatever the number of servers."""
