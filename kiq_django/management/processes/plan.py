"""What a parent is to do."""

from collections.abc import Callable
from dataclasses import dataclass

from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.os_signals import SignalPipe
from kiq_django.worker.reporter import Outlet

Work = Callable[[SignalPipe, Outlet], int]
"""What a forked child does, told by its pipe and telling its outlet; returns the exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Decided before the first child is started."""

    number: int
    """How many children there shall be."""
    config: WorkerConfig
    """Of each of them; what speaks to the world, such as `health`, is the parent's."""
    work: Work
    preload: bool | None = None
    """Fork the children off this process, which has loaded the project; None: where that is safe."""
    reloads: bool = False
    """Somebody watches the code and begins us anew when it changes."""
    keep_going: Callable[[], bool] = lambda: True
    """Asked again and again; False is the end."""
