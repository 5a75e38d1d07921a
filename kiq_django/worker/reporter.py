"""Tells once a second how this process is: whether its fetch loops go round, what it runs, what it has done."""

import os
from collections.abc import Callable, Sequence

from kiq_django import clock
from kiq_django.service import Service
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.launcher import Launcher
from kiq_django.worker.memory import resident_kilobytes
from kiq_django.worker.status import QUIET, STOPPING, WORKING, Report, Status

EVERY = 1.0
"""Seconds."""
STALLED = 30.0
"""Seconds in which every fetch loop must have gone round; also without Redis it does so many times."""

Outlet = Callable[[Report], None]
"""Who wants to know: the title of the process, a file, systemd, the parent."""


class Reporter(Service):
    """Has a thread of its own, so that busy job threads keep nobody waiting."""

    def __init__(self, config: WorkerConfig, outlets: Sequence[Outlet]) -> None:
        super().__init__("reporter", EVERY)
        self.launcher: Launcher | None = None
        """None while Redis is waited for."""
        self.state = WORKING
        self._config = config
        self._outlets = outlets

    def tick(self) -> None:
        """Tell everybody."""
        report = self.report()
        for outlet in self._outlets:
            outlet(report)

    def last_tick(self) -> None:
        """What stands in a title or a file must not outlive us."""
        self.state = STOPPING
        self.tick()

    def go(self, state: str) -> None:
        """The process is in another state now, and that is told at once."""
        self.state = state
        self.wake()

    def report(self) -> Report:
        """How it is right now."""
        return Report.of_one(self._config.tag, self.status())

    def status(self) -> Status:
        """The same in one value. Any thread."""
        config, launcher = self._config, self.launcher
        done = launcher.totals() if launcher else (0, 0)
        stalled = _stalled(launcher) if launcher else {}
        return Status(
            identity=config.identity,
            pid=os.getpid(),
            state=QUIET if self.state == WORKING and launcher and launcher.heartbeat.is_quiet else self.state,
            busy=launcher.busy() if launcher else 0,
            concurrency=config.concurrency,
            processed=done[0],
            failed=done[1],
            rss=resident_kilobytes(),
            stalled=stalled,
            idle={**_idle(launcher), **stalled} if launcher else {"default": "waiting for Redis"},
        )


def _stalled(launcher: Launcher) -> dict[str, str]:
    now = clock.monotonic()
    silent = {m.capsule.name: now - m.fetcher.turned_at for m in launcher.managers}
    return {name: f"stalled for {age:.0f} s" for name, age in silent.items() if age > STALLED}


def _idle(launcher: Launcher) -> dict[str, str]:
    idle = {m.capsule.name: m.fetcher.why_not_taking for m in launcher.managers}
    return {name: why for name, why in idle.items() if why}
