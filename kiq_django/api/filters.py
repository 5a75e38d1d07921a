"""Which jobs are meant: the same question for a page of a list and for an operation on all that match."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from kiq_django.api.records import JobRecord
from kiq_django.api.texts import contains, quoted, spellings
from kiq_django.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A job must fulfil all that is given; nothing given is every job."""

    text: str = ""
    """Stands in the job's JSON, letter by letter (`api/texts.py`)."""
    name: str = ""
    """The job's name, or the one that people see."""
    queue: str = ""
    """Where it waits or will go to."""
    error_class: str = ""
    """Of its last failure."""
    fingerprint: str = ""
    """The kind of its last failure: `JobRecord.fingerprint`."""
    due_from: float | None = None
    """In a set: due (or dead) at this time or later, epoch seconds."""
    due_to: float | None = None
    """The same: or earlier."""

    @property
    def is_empty(self) -> bool:
        """Every job is meant."""
        return self == EVERYTHING

    def sieve(self) -> Callable[[bytes], bool]:
        """Tells by the bytes of a job alone whether it may match: quick, to pass over the others."""
        needles = [quoted(text) for text in (self.name, self.error_class) if text]
        needles += [spellings(self.text)] if self.text else []
        return lambda raw: all(any(spelling in raw for spelling in needle) for needle in needles)

    @property
    def low(self) -> float:
        """The lowest score that can match."""
        return -math.inf if self.due_from is None else self.due_from

    @property
    def high(self) -> float:
        """The highest."""
        return math.inf if self.due_to is None else self.due_to

    def matches(self, job: JobRecord) -> bool:
        """Whether the job is meant. What cannot be read matches by its bytes and its time alone."""
        return (
            (not self.text or contains(job, self.text))
            and self.name in ("", job.name, job.display_name)
            and self.queue in ("", job.queue)
            and self.error_class in ("", job.error_class)
            and self.fingerprint in ("", job.fingerprint)
            and (job.place == "queue" or self.low <= (job.at or 0.0) <= self.high)
        )

    @property
    def given(self) -> dict[str, str | float]:
        """What is asked for, and nothing else."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}

    def to_json(self) -> str:
        """What is asked for, to be stored."""
        return json.dumps(self.given)

    @classmethod
    def from_json(cls, text: str, *, strict: bool = True) -> "Filter":
        """Undo `to_json`.

        Args:
            strict: False passes over what a later version may have written. To show it, never to act by it.

        Raises:
            ConfigurationError: a later version wrote something that we do not know, so that we would take too many.
        """
        given = json.loads(text)
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown and strict:
            raise ConfigurationError(
                f"This filter asks for {', '.join(unknown)}, which this version of kiq_django does not know: update it"
            )
        return cls(**{name: value for name, value in given.items() if name in known})


EVERYTHING = Filter()
