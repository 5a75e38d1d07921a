"""What worker processes say of themselves once a second, and what follows from it for one address, file or title."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

from kiq_django.version import __version__

WORKING, QUIET, STOPPING = "working", "quiet", "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One worker process at one moment, in its own words."""

    identity: str
    pid: int
    state: str = WORKING
    """`working`, `quiet`, or `stopping`: it ends by itself when its jobs have."""
    busy: int = 0
    concurrency: int = 0
    processed: int = 0
    failed: int = 0
    rss: int = 0
    """Kilobytes."""
    stalled: Mapping[str, str] = field(default_factory=dict)
    """Capsules whose fetch loop does not go round, and since when; none is well."""
    idle: Mapping[str, str] = field(default_factory=dict)
    """Capsules that take no jobs, and why; none is well."""

    def to_line(self) -> bytes:
        """For the pipe to the parent."""
        return json.dumps(asdict(self), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Status | None":
        """Undo `to_line`, that of another version too: a child may be older than its parent. None for all else."""
        try:
            said = json.loads(line)
            return cls(**{each.name: said[each.name] for each in fields(cls) if each.name in said})
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A worker command as a whole: one process, or a parent with its children."""

    tag: str
    state: str = WORKING
    statuses: Sequence[Status] = ()
    places: int = 0
    """How many children there shall be; 0 is a process without any."""
    stalled: Mapping[str, str] = field(default_factory=dict)
    """Why it is not alive; empty when it is."""
    idle: Mapping[str, str] = field(default_factory=dict)
    """Why it is not ready; empty when it is."""

    @property
    def title(self) -> str:
        """One line for people: `kiq 1.0 shop [3 of 10 busy]`."""
        busy = sum(status.busy for status in self.statuses)
        threads = sum(status.concurrency for status in self.statuses)
        processes = f", {len(self.statuses)} processes" if self.places else ""
        state = "" if self.state == WORKING else f" {self.state}"
        return f"kiq {__version__} {self.tag} [{busy} of {threads} busy{processes}]{state}"

    @classmethod
    def of_one(cls, tag: str, status: Status) -> "Report":
        """Of a process that works alone."""
        return cls(tag=tag, state=status.state, statuses=[status], stalled=status.stalled, idle=status.idle)
