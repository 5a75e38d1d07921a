"""How one worker process is to work: settings, configuration file and command line, put together and frozen."""

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiq_django import clock

DEFAULT_CAPSULE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleConfig:
    """One set of queues with threads of its own."""

    name: str = DEFAULT_CAPSULE
    queues: Mapping[str, int]
    """Weight by name, in the order given; all 0 is strict order."""
    concurrency: int = 5

    @property
    def mode(self) -> str:
        """`strict`, `random` or `weighted`: Sidekiq's words for it."""
        weights = set(self.queues.values())
        if weights == {0}:
            return "strict"
        return "random" if weights == {1} else "weighted"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Everything a launcher needs to know."""

    capsules: Sequence[CapsuleConfig]
    async_concurrency: int = 100
    shutdown_timeout: float = 25
    """Seconds."""
    heartbeat: float = 5
    """Seconds."""
    lease: float = 30
    """Seconds."""
    poll_interval: float = 5
    """Seconds."""
    tag: str = ""
    labels: Sequence[str] = ()
    health: tuple[str, int] | None = None
    """Host and port on which to answer probes."""
    heartbeat_file: str = ""
    """A file that is written anew every second while the fetch loops go round."""
    drain: bool = False
    """Stop when the queues are empty."""
    max_jobs: int | None = None
    """End in good order after about so many jobs."""
    max_memory: int | None = None
    """End in good order when this process occupies about so many megabytes."""
    embedded: bool = False
    """The worker lives inside of another program, which has the signals."""
    identity: str = field(default_factory=lambda: new_identity())
    started_at: float = field(default_factory=clock.now)
    """Epoch seconds."""

    @property
    def queues(self) -> list[str]:
        """Names of all queues of all capsules, each once."""
        return list(dict.fromkeys(queue for capsule in self.capsules for queue in capsule.queues))

    @property
    def concurrency(self) -> int:
        """Threads of all capsules."""
        return sum(capsule.concurrency for capsule in self.capsules)


def new_identity() -> str:
    """`host:pid:nonce`, Sidekiq's form. $DYNO takes the place of the host, as on Heroku."""
    host = os.environ.get("DYNO") or socket.gethostname()
    return f"{host}:{os.getpid()}:{secrets.token_hex(6)}"


def default_tag() -> str:
    """The name of the folder that we were started in."""
    return Path.cwd().name
