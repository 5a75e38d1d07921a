"""Who runs tasks here: the worker of this process, by the name that the dashboard shows."""

import os
import socket
from typing import Any

from kiq_django import signals

_names: list[str] = []


def worker_name() -> str:
    """Identity of the worker that was started last in this process; outside of workers host and process id."""
    return _names[-1] if _names else f"{socket.gethostname()}:{os.getpid()}"


def _started(worker: Any, **_: Any) -> None:
    _names[:] = [worker.config.identity]


signals.worker_startup.connect(_started, dispatch_uid="kiq_django.task_backend")
