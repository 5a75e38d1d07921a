"""What is to know of one job system, to install it and let it work."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

APPS = Path(__file__).parent / "apps"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One job system in one configuration."""

    name: str
    survives: str
    """What happens to jobs in flight when their worker gets `kill -9`, by its documentation."""
    client: str
    """File below `apps/` that enqueues."""
    worker: Callable[[int, int], Sequence[str]]
    """Command line for so many processes, and so many jobs at once in each."""
    packages: Sequence[str] = ()
    """What pip installs for it; none where `needs` brings it."""
    needs: str = ""
    """A program without which it cannot take part."""
    python: tuple[int, int] = (3, 11)
    """The oldest Python that it runs on."""
    environment: dict[str, str] = field(default_factory=dict)
    postgres: bool = False
    setup: Sequence[Sequence[str]] = ()
    """Commands to run once per server, such as migrations."""
    speed: int = 20_000
    """Empty jobs a second, roughly: who is slow is given fewer jobs, for a few seconds of work."""
    most: int = 100
    """Jobs at once in one process; more it cannot run."""
    asynchronous: bool = False
    """Waiting jobs do not hold a thread or process."""
    toils: bool = False
    """Its jobs may compute while others run: in threads or processes, as many as there are jobs at once."""
    more_queues: Sequence[str] = ()
    """Further options with which its worker looks after seven more queues, behind the first."""
    processes: bool = True
    """Can be told to use several processes."""
    log_lines: tuple[dict[str, str], Sequence[str]] | None = None
    """Further environment and options that turn the lines about each job on."""

    @property
    def key(self) -> str:
        """Its folder among the environments; configurations of one system share it."""
        return re.sub(r"[^a-z0-9]+", "-", " ".join(self.packages).replace(str(ROOT), "kiq").lower()).strip("-")
