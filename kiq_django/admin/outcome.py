"""What comes of acting on jobs that somebody has chosen one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kiq_django.admin.lazily import store, submodule
from kiq_django.exceptions import ConfigurationError, Unsupported

if TYPE_CHECKING:
    from kiq_django.admin.verbs import JobVerb
    from kiq_django.api import JobRecord


@dataclass(slots=True)
class Outcome:
    """With which jobs it was done, and with how many not. It is right at every moment, also after an error."""

    done: list[JobRecord] = field(default_factory=list)
    gone: int = 0
    skipped: int = 0
    """Those that cannot be read, so that this cannot be done with them."""

    def act(self, records: Sequence[JobRecord], verb: JobVerb, answers: Any) -> None:
        """Act on each.

        Raises:
            StoreError: what it said of one job; those behind it were not touched.
        """
        for record in records:
            try:
                if verb.act(record, answers):
                    self.done.append(record)
                else:
                    self.gone += 1
            except (Unsupported, ConfigurationError):
                self.skipped += 1

    def spread(self, records: Sequence[JobRecord], minutes: int) -> None:
        """Retry each at a moment of its own within some minutes.

        Raises:
            StoreError: what it said of the jobs of one place; those of others may be done.
        """
        readable = [record for record in records if record.payload]
        self.skipped += len(records) - len(readable)
        for place in {record.place for record in readable}:
            here = [record for record in readable if record.place == place]
            done = submodule("sets").SETS[place](store()).retry(here, spread=60.0 * minutes)
            self.done += here[:done]
            self.gone += len(here) - done
