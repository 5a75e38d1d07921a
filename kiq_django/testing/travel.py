"""Another time for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.conf import settings
from django.utils import timezone

from kiq_django import clock
from kiq_django.jobs.moments import epoch


@contextmanager
def travel(to: datetime | timedelta | float, *, freeze: bool = False) -> Iterator[None]:
    """Move the clock for this block: that of kiq_django, and `django.utils.timezone.now`.

    Time goes on from there. `time.time` and `datetime.now` are left alone; who wants them moved too uses a library
    such as time-machine or freezegun, whose time kiq_django follows by itself.

    Args:
        to: a moment, or how far from now.
        freeze: time stands still there.
    """
    began = clock.now()
    start = began + to.total_seconds() if isinstance(to, timedelta) else epoch(to)
    there = _There(start, start - began, freeze=freeze)
    with mock.patch.object(clock, "now", there.seconds), mock.patch.object(timezone, "now", there.moment):
        try:
            yield
        finally:
            there.is_over = True


class _There:
    """The other time. Whoever has kept one of its methods, such as a module that was imported meanwhile, gets the
    real time when it is over."""

    def __init__(self, start: float, offset: float, *, freeze: bool) -> None:
        self.is_over = False
        self._start = start
        self._offset = offset
        self._freeze = freeze
        self._clock = clock.now
        self._now = timezone.now

    def seconds(self) -> float:
        if self.is_over:
            return self._clock()
        return self._start if self._freeze else self._clock() + self._offset

    def moment(self) -> datetime:
        if self.is_over:
            return self._now()
        return datetime.fromtimestamp(self.seconds(), tz=UTC if settings.USE_TZ else None)
