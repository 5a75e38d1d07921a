"""The last hour of one queue, as charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from kiq_django.admin.charts.trend import trend
from kiq_django.admin.lazily import api, store

if TYPE_CHECKING:
    from kiq_django.api import QueuePoint

MINUTES: Final = 60


def charts_of(name: str) -> Sequence[Any]:
    """How long it was, and how many jobs left it in each minute; nothing where nobody measured. Two round trips."""
    points = api.queue_history(name, MINUTES, store=store())
    drawn = [_size(points), _out(points[:-1])]  # the minute that is running says too little of what left
    return [drawing for drawing in drawn if drawing]


def _size(points: Sequence[QueuePoint]) -> Any:
    measured = [(point.begin, point.size) for point in points]
    return trend(measured, _("Jobs that waited"), key="queue-size") if _is_known(measured) else None


def _out(points: Sequence[QueuePoint]) -> Any:
    measured = [(point.begin, point.out) for point in points]
    return trend(measured, _("Runs that ended, a minute"), tone="ok", key="queue-out") if _is_known(measured) else None


def _is_known(measured: Sequence[tuple[Any, Any]]) -> bool:
    return any(value is not None for _at, value in measured)
