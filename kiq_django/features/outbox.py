"""Workers push what lies in the outboxes: jobs of processes that died, or could not reach Redis, after their commit.

The feature of the app `kiq_django.outbox`, which brings it along: `KIQ["FEATURES"]` need not name it. Each second one
of all workers looks into the outbox of each database, by one query of its primary key.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django.utils import timezone
from django.utils.translation import gettext as _

from kiq_django import clock
from kiq_django.exceptions import MalformedPayload, NotReplicated
from kiq_django.payload import Payload
from kiq_django.plugins import Feature
from kiq_django.service import Service

if TYPE_CHECKING:  # features are loaded in every process, and the store would bring Redis along
    from kiq_django.outbox.models import Entry
    from kiq_django.store import Store

logger = logging.getLogger("kiq_django.outbox")
LOOK_EVERY = 1.0
"""Seconds."""
GRACE = 2.0
"""Seconds for the process that has committed to push by itself, as it does nearly always."""
FRESH = 60.0
"""Seconds for which a page of rows is good: longer ago somebody else may have pushed them, and forgotten it since."""
LATE, VERY_LATE = 30.0, 600.0
"""Seconds that a row may lie there."""
SAY_EVERY = 30.0


class Relay(Service):
    """Empties the outboxes. Two at once do no harm: a job is pushed once, whoever comes first."""

    def __init__(self, store: "Store") -> None:
        from kiq_django.outbox import book, sending

        super().__init__("outbox", LOOK_EVERY)
        self._deliveries = store.deliveries
        self._book = book
        self._send = sending.send
        self._said: dict[str, float] = {}

    def tick(self) -> None:
        """One look into the outbox of each database, unless another worker has just looked.

        Raises:
            StoreError: what lies there stays there.
        """
        if not self._deliveries.may_relay(LOOK_EVERY * 0.9):
            return
        close_old_connections()
        for alias in self._book.aliases():
            try:
                self._empty(alias)
            except DatabaseError as error:
                self._say(alias, "The outbox of database %r cannot be emptied: %s", alias, error)
                connections[alias].close()

    def last_tick(self) -> None:
        """Give back this thread's connections to the databases."""
        connections.close_all()

    def _empty(self, alias: str) -> None:
        behind = ""
        while not self._stopping and (rows := self._book.page(alias, behind, GRACE)):
            read_at = clock.monotonic()
            for replicas, group in groupby(rows, key=lambda row: row.replicas):
                if clock.monotonic() - read_at > FRESH:
                    return
                self._relay(list(group), alias, replicas)
            behind = rows[-1].jid

    def _relay(self, rows: "Sequence[Entry]", alias: str, replicas: int) -> None:
        try:
            trouble = self._send(self._payloads(rows), alias, replicas)
        except NotReplicated as error:  # no reason to keep those behind waiting, that want fewer replicas
            self._say("replicas", "Jobs stay in the outbox of %r: %s", alias, error)
        else:
            if trouble:
                self._say("link", "A job stays in the outbox of %r: a client link raised %r", alias, trouble)

    def _payloads(self, rows: "Sequence[Entry]") -> list[Payload]:
        found = []
        for row in rows:
            try:
                found.append(Payload.decode(bytes(row.payload)))
            except MalformedPayload as error:
                self._say(row.jid, "Row %r of the outbox holds no job: %s", row.jid, error)
        return found

    def _say(self, about: str, text: str, *words: Any) -> None:
        """Not every second the same."""
        now = clock.monotonic()
        if now - self._said.get(about, -SAY_EVERY) >= SAY_EVERY:
            self._said[about] = now
            logger.warning(text, *words)


def points() -> Iterator[Any]:
    """What lies in an outbox for longer than it should."""
    from kiq_django.api.points import bad
    from kiq_django.api.wording import figure
    from kiq_django.durations import human
    from kiq_django.outbox import book

    for alias in book.aliases():
        try:
            found = book.backlog(alias)
        except DatabaseError as error:
            text = _("the outbox of database %(alias)s cannot be read: %(reason)s") % {"alias": alias, "reason": error}
            yield bad("error", "outbox", text, remedy=_("Run manage.py migrate for it"))
            continue
        age = (timezone.now() - found.oldest).total_seconds() if found.oldest else 0.0
        if age > LATE:
            more = "+" if found.size > book.COUNTED else ""
            words = {"count": figure(min(found.size, book.COUNTED)) + more, "alias": alias, "age": human(age)}
            text = _("jobs wait in the outbox of database %(alias)s (%(count)s), the oldest for %(age)s") % words
            remedy = _("A worker pushes them: see that one runs, reaches that database, and what it logs")
            yield bad("error" if age > VERY_LATE else "warn", "outbox", text, ("processes", ""), remedy=remedy)


feature = Feature(name="outbox", services=(Relay,), points=points)
