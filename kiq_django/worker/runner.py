"""From the start of a worker process to its exit code: boot checks, and the loop that obeys signals."""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable

from kiq_django import conf
from kiq_django.exceptions import ConfigurationError, StoreError, StoreRefused
from kiq_django.store import Store
from kiq_django.store.server import ServerInfo
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.journal import Journal
from kiq_django.worker.launcher import Launcher
from kiq_django.worker.os_signals import DUMP, QUIET, STOP, SignalPipe
from kiq_django.worker.outage import Outage

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
    ) -> None:
        self._config = config
        self._store = store
        self._pipe = pipe
        self._journal = journal
        self._keep_going = keep_going
        self._in_a_hurry = False
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
        try:
            ready(self._await_redis())
        except Stopped:
            return 0
        launcher = Launcher(self._config, self._store, self._pipe.tell, self._journal)
        launcher.start()
        self._obey(launcher)
        return 0

    def _await_redis(self) -> ServerInfo:
        """Wait for as long as it takes: at boot the server is often the later one."""
        outage = Outage("Waiting for Redis")
        while True:
            try:
                info = self._store().link.info()
            except StoreRefused:
                raise
            except StoreError as error:
                if STOP.intersection(self._pipe.wait(outage.note(error))):
                    raise Stopped from error
            else:
                outage.over()
                refuse_unusable(info)
                return info

    def _obey(self, launcher: Launcher) -> None:
        while self._keep_going():
            names = self._pipe.wait(DRAIN_TICK if self._config.drain else TICK)
            for name in names:
                if name in STOP:
                    self._in_a_hurry = sum(each in STOP for each in names) > 1
                    logger.info("%s: stopping; jobs get %g s to finish", name, self._config.shutdown_timeout)
                    return self._stop(launcher)
                if name in QUIET:
                    logger.info("%s: quiet; no new jobs are taken", name)
                    launcher.quiet()
                elif name in DUMP:
                    dump_threads()
            if self._config.drain and launcher.drained:
                logger.info("The queues are empty: done")
                break
        return self._stop(launcher)

    def _stop(self, launcher: Launcher) -> None:
        self.cut_off = not launcher.stop(self._config.shutdown_timeout, self._told_again)
        logger.info("Stopped" if not self.cut_off else "Stopped; unfinished jobs are back on their queues")

    def _told_again(self) -> bool:
        names = self._pipe.wait(0)
        if DUMP.intersection(names):
            dump_threads()
        return self._in_a_hurry or bool(STOP.intersection(names))


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
