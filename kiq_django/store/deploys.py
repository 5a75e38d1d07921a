"""Marks of deploys, which stand beside the metrics."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from kiq_django.store.keys import Keys
from kiq_django.store.link import Link

EXPIRY = 7_776_000
"""Seconds that the marks of a day are kept: Sidekiq's 90 days."""
GUARD = 60
"""Seconds in which the same deploy is not noted again."""


class Deploys:
    """When new code came to one Redis's workers."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def mark(self, label: str, now: float) -> bool:
        """Note a deploy at the minute of `now`, once however many hosts say it. The first label of a minute stays.

        Returns:
            False when this label was noted within the last minute.
        """
        moment = datetime.fromtimestamp(now, UTC)
        key, stamp = self._keys.marks(f"{moment:%Y%m%d}"), f"{moment:%Y-%m-%dT%H:%M:00Z}"
        if not self._link.call("SET", self._keys.mark_guard(label), stamp, "NX", "EX", GUARD):
            return False
        pipe = self._link.pipeline(atomic=True)
        pipe.hsetnx(key, stamp, label)
        pipe.expire(key, EXPIRY)
        self._link.execute(pipe)
        return True

    def marks(self, days: Iterable[date]) -> dict[datetime, str]:
        """Deploys of these UTC days: minute and label."""
        pipe = self._link.pipeline()
        for day in days:
            pipe.hgetall(self._keys.marks(f"{day:%Y%m%d}"))
        noted = [pair for reply in self._link.execute(pipe) for pair in reply.items()]
        found = ((_moment(stamp), label.decode(errors="replace")) for stamp, label in noted)
        return {moment: label for moment, label in found if moment}


def _moment(stamp: bytes) -> datetime | None:
    try:
        moment = datetime.fromisoformat(stamp.decode())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
