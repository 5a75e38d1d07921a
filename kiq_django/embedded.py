"""A few worker threads inside of another program: a web server, a script, a notebook.

For small sites and demos: one program less to run, at the price that jobs and requests share a processor and memory.
`start()` and `stop()` are all there is; `kiq_django.contrib.gunicorn` has both as hooks.
"""

import atexit
import logging
import os
import threading
from collections.abc import Mapping, Sequence

from kiq_django import conf, log
from kiq_django import store as stores
from kiq_django.worker.config import CapsuleConfig, WorkerConfig, default_tag
from kiq_django.worker.os_signals import SignalPipe
from kiq_django.worker.runner import Runner

logger = logging.getLogger("kiq_django.worker")
THREADS = 2
LAST_WORDS = 3.0
"""Seconds beyond the time that running jobs get: for what is pushed back to be written."""

_guard = threading.Lock()
_running: "_Embedded | None" = None


def start(
    *, queues: Mapping[str, int] | Sequence[str] = (), concurrency: int = THREADS, timeout: float | None = None
) -> bool:
    """Run jobs in threads of this process from now on. No signal handler is set, and none is needed.

    Redis may be away: it is waited for, in a thread.

    Args:
        queues: by weight, or a list for strict order; by default those of `KIQ["QUEUES"]`.
        concurrency: threads.
        timeout: seconds that running jobs get at the end; by default `KIQ["WORKER"]["shutdown_timeout"]`.

    Returns:
        False when this process runs jobs already: there are never two workers in one.

    Raises:
        ConfigurationError: `KIQ` is not usable.
    """
    global _running
    with _guard:
        if _running is not None and _running.is_alive:
            return False
        if _running is not None:
            _running.close()
        _running = _Embedded(_config(queues, concurrency, timeout))
        _running.start()
    return True


def stop(timeout: float | None = None) -> bool:
    """End: running jobs may finish, and go back to the front of their queues when they do not in time.

    Args:
        timeout: seconds for them; by default what `start` was given.

    Returns:
        False when nothing ran here.
    """
    global _running
    with _guard:
        running, _running = _running, None
    return running is not None and running.stop(timeout)


def is_running() -> bool:
    """Jobs are run in this process."""
    return _running is not None and _running.is_alive


class _Embedded:
    """A runner in a thread, told through a pipe that no signal reaches."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._pipe = SignalPipe()
        self._pid = os.getpid()
        self._runner = Runner(config, stores.get, self._pipe, log.journal())
        self._thread = threading.Thread(target=self._run, name="kiq-embedded", daemon=True)
        self._is_closed = False

    @property
    def is_alive(self) -> bool:
        """A fork copies no threads."""
        return self._pid == os.getpid() and self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None) -> bool:
        if not self.is_alive:
            self.close()
            return False
        patience = self._config.shutdown_timeout if timeout is None else timeout
        self._pipe.tell("TERM")
        self._thread.join(patience)
        if self._thread.is_alive():
            self._pipe.tell("TERM")  # the second one: now
            self._thread.join(LAST_WORDS)
        self.close()
        return True

    def close(self) -> None:
        """Give the pipe back once nobody reads from it."""
        if not self._is_closed and not self.is_alive and self._pid == os.getpid():
            self._is_closed = True
            self._pipe.close()

    def _run(self) -> None:
        try:
            self._runner.run(lambda info: logger.info("Jobs run in this process: %s", self._config.identity))
        except Exception:
            logger.exception("No jobs are run in this process")


def _config(queues: Mapping[str, int] | Sequence[str], concurrency: int, timeout: float | None) -> WorkerConfig:
    settings, weights = conf.get(), dict.fromkeys(queues, 0)
    if isinstance(queues, Mapping):
        weights = dict(queues)
    worker = settings.worker
    return WorkerConfig(
        capsules=[
            CapsuleConfig(
                queues=weights or {queue.name: queue.weight for queue in settings.queues.values()},
                concurrency=concurrency,
            )
        ],
        async_concurrency=worker.async_concurrency,
        shutdown_timeout=worker.shutdown_timeout if timeout is None else timeout,
        heartbeat=worker.heartbeat,
        lease=worker.lease,
        poll_interval=worker.poll_interval,
        tag=worker.tag or default_tag(),
        labels=[*worker.labels, "embedded"],
        embedded=True,
    )


def _at_exit() -> None:
    stop()


def _after_fork_in_child() -> None:
    """The worker is the parent's."""
    global _guard, _running
    _guard, _running = threading.Lock(), None


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
