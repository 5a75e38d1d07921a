"""From the start of a worker process to its exit code: boot checks, and the loop that obeys signals."""

import logging
import math
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kiq_django import clock, conf
from kiq_django.exceptions import ConfigurationError, StoreError, StoreRefused
from kiq_django.store import Store
from kiq_django.store.server import ServerInfo
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.journal import Journal
from kiq_django.worker.launcher import Launcher
from kiq_django.worker.os_signals import DUMP, QUIET, RETIRE, STOP, SignalPipe
from kiq_django.worker.outage import Outage
from kiq_django.worker.reporter import EVERY, Outlet, Reporter
from kiq_django.worker.status import STOPPING
from kiq_django.worker.wear import Wear

if TYPE_CHECKING:
    from kiq_django.worker.health import Health

logger = logging.getLogger("kiq_django.worker")
TICK = 0.5
"""Seconds between two looks at what is not a signal."""
DRAIN_TICK = 0.02


class Stopped(Exception):  # noqa: N818
    """A signal asked for the end before the worker had begun."""


class Runner:
    """Runs one launcher until it is told to stop. May run in any thread; the pipe is opened in the main one."""

    def __init__(
        self,
        config: WorkerConfig,
        store: Callable[..., Store],
        pipe: SignalPipe,
        journal: Journal | None = None,
        keep_going: Callable[[], bool] = lambda: True,
        outlets: Sequence[Outlet] = (),
    ) -> None:
        """Take what is needed; nothing runs yet.

        Args:
            keep_going: asked twice a second; False is the end.
            outlets: what is told once a second how this process is.

        Raises:
            ConfigurationError: the address for probes cannot be had.
        """
        self._config = config
        self._store = store
        self._pipe = pipe
        self._journal = journal
        self._keep_going = keep_going
        self._reporter = Reporter(config, outlets)
        self._health = _health(config.health, self._reporter) if config.health else None
        self._wear = Wear(config.max_jobs, config.max_memory) if not config.drain else Wear(None, None)
        self.cut_off = False
        """Jobs were still running at the end; they have been pushed back."""

    def run(self, ready: Callable[[ServerInfo], None] = lambda info: None) -> int:
        """Work until the end.

        Args:
            ready: called once Redis has been found usable.

        Returns:
            The exit code: 0.

        Raises:
            ConfigurationError: Redis is too old, or may evict jobs.
        """
        self._reporter.start()
        if self._health:
            self._health.start()
        try:
            self._work(ready)
        except Stopped:
            pass
        finally:
            self._reporter.stop()
            self._reporter.join(EVERY)
            if self._health:
                self._health.stop()
        return 0

    def _work(self, ready: Callable[[ServerInfo], None]) -> None:
        info = self._await_redis()
        if conf.get().worker.wait_for_migrations:
            self._await_migrations()
        ready(info)
        told = _deaf if self._config.embedded else self._pipe.tell
        launcher = Launcher(self._config, self._store, told, self._journal)
        launcher.start()
        self._reporter.launcher = launcher
        self._reporter.wake()
        self._obey(launcher)

    def _await_redis(self) -> ServerInfo:
        """Wait for as long as it takes: at boot the server is often the later one. What the first of several says."""
        outage = Outage("Waiting for Redis")
        while self._keep_going():
            try:
                infos = [node.info() for server in self._store().servers() for node in server.link.nodes()]
            except StoreRefused:
                raise
            except StoreError as error:
                if (STOP | RETIRE).intersection(self._pipe.wait(outage.note(error))):
                    raise Stopped from error
            else:
                outage.over()
                for info in infos:
                    refuse_unusable(info)
                return infos[0]
        raise Stopped

    def _await_migrations(self) -> None:
        from kiq_django.worker.migrations import LOOK_EVERY, Migrations  # brings Django's migrations along

        migrations = Migrations()
        while migrations.missing():
            if not self._keep_going() or (STOP | RETIRE).intersection(self._pipe.wait(LOOK_EVERY)):
                raise Stopped

    def _obey(self, launcher: Launcher) -> None:
        while self._keep_going():
            names = self._pipe.wait(DRAIN_TICK if self._config.drain else TICK)
            if QUIET.intersection(names):
                logger.info("%s: quiet; no new jobs are taken", names[0])
                launcher.quiet()
                self._reporter.wake()
            if DUMP.intersection(names):
                dump_threads()
            if stops := [name for name in names if name in STOP]:
                logger.info("%s: stopping; jobs get %g s to finish", stops[0], self._config.shutdown_timeout)
                return self._stop(launcher, len(stops))
            if reason := self._reason_to_retire(launcher, names):
                logger.info("%s: no new jobs are taken, and this process ends when the running ones have", reason)
                return self._stop(launcher, 0)
            if self._config.drain and launcher.drained:
                logger.info("The queues are empty: done")
                break
        return self._stop(launcher, 1)

    def _reason_to_retire(self, launcher: Launcher, names: Sequence[str]) -> str:
        if RETIRE.intersection(names):
            return "USR2"
        return self._wear.out(launcher.totals()[0])

    def _stop(self, launcher: Launcher, stops: int) -> None:
        farewell = Farewell(self._pipe, self._config.shutdown_timeout, stops)
        self._reporter.go(STOPPING)
        self.cut_off = not launcher.stop(math.inf, farewell.is_over)
        logger.info("Stopped" if not self.cut_off else "Stopped; unfinished jobs are back on their queues")


class Farewell:
    """How long running jobs are waited for: without an end before the first signal to stop, until the deadline after
    it, and no longer after the second.
    """

    def __init__(self, pipe: SignalPipe, timeout: float, stops: int) -> None:
        self._pipe = pipe
        self._timeout = timeout
        self._stops = 0
        self._deadline = math.inf
        self._count(stops)

    def is_over(self) -> bool:
        """Asked again and again while jobs run."""
        names = self._pipe.wait(0)
        if DUMP.intersection(names):
            dump_threads()
        self._count(sum(name in STOP for name in names))
        return self._stops > 1 or clock.monotonic() >= self._deadline

    def _count(self, stops: int) -> None:
        if stops and not self._stops:
            self._deadline = clock.monotonic() + self._timeout
        self._stops += stops


def _health(address: tuple[str, int], reporter: Reporter) -> "Health":
    """What answers probes, for a worker that was given an address for them."""
    from kiq_django.worker.health import Health  # with a small HTTP server, which the others do not carry

    return Health(address, reporter.report)


def _deaf(name: str) -> None:
    """An embedded worker heeds no signals: its program has them."""


def refuse_unusable(info: ServerInfo) -> None:
    """Raise when jobs would not be safe on this server.

    Raises:
        ConfigurationError: it is too old, or throws keys away when it is full.
    """
    if info.is_too_old:
        raise ConfigurationError(f"Redis {info.version_text} is too old: kiq_django needs 6.2 (it lacks LMOVE)")
    if info.evicts and not conf.get().worker.allow_eviction:
        raise ConfigurationError(
            f"This Redis throws keys away when it is full (maxmemory-policy {info.maxmemory_policy}), "
            "and jobs with them. Set maxmemory-policy noeviction on it, or accept the loss with "
            "KIQ['WORKER']['allow_eviction'] = True"
        )


def dump_threads() -> None:
    """Log what every thread is doing right now."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)) if frame else "(not running)\n"
        logger.warning("Thread %s (%s)\n%s", thread.name, thread.native_id, stack)


def leave(code: int, *, cut_off: bool) -> None:
    """End the process. With jobs that were cut off still running, at once: their threads cannot be waited for."""
    if cut_off:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
