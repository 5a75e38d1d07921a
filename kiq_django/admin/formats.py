"""Numbers and moments as people read them, in the language, format and time zone in force.

All of these take whatever was in Redis: what is no number, or no moment, is a dash.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from kiq_django import clock, durations

NOTHING: Final = "\N{EN DASH}"
"""Shown for what is unknown, or is no number."""
LARGE: Final = (
    (1e12, gettext_noop("%(number)s T")),
    (1e9, gettext_noop("%(number)s G")),
    (1e6, gettext_noop("%(number)s M")),
    (1e3, gettext_noop("%(number)s k")),
)
"""Sizes from which numbers are shortened, and how."""


def finite(value: Any) -> float | None:
    """The value as a number, or None when it is none."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def number(value: Any, digits: int = 0) -> str:
    """`1,284,031`, with so many decimals."""
    found = finite(value)
    if found is None:
        return NOTHING
    # Django cuts digits off instead of rounding. Whole numbers stay as exact as they are.
    exact = value if isinstance(value, int) else round(found, digits)
    return number_format(exact, digits, force_grouping=True)


def compact(value: Any) -> str:
    """`9.3 k`, `1.3 M`: for narrow places."""
    found = finite(value)
    if found is None:
        return NOTHING
    for size, name in LARGE:
        if abs(found) >= size * 0.9995:
            scaled = round(found / size, 1)
            return _(name) % {"number": number(scaled, 0 if abs(scaled) >= 100 or scaled.is_integer() else 1)}
    return number(round(found))


def percent(share: Any) -> str:
    """`90%`, `0.16%` for a share of 1."""
    found = finite(share)
    if found is None:
        return NOTHING
    found *= 100
    digits = 0 if found == 0 or abs(found) >= 10 else 1 if abs(found) >= 1 else 2
    return _("%(number)s%%") % {"number": number(found, digits)}


def duration(seconds: Any, parts: int = 2) -> str:
    """`4 min 10 s`; with one part, the larger unit alone."""
    found = finite(seconds)
    return NOTHING if found is None else durations.human(found, parts)


def relative(value: Any) -> str | SafeString:
    """A moment, epoch seconds or a datetime, as `4 min ago` or `in 6 min`; the browser's script keeps it fresh."""
    at = _moment(value)
    if at is None:
        return NOTHING
    return _time(at, durations.relative(round(at.timestamp() - clock.now())), mark="data-kiq-time")


def moment(value: Any) -> str | SafeString:
    """A moment, epoch seconds or a datetime, as date and time."""
    at = _moment(value)
    return NOTHING if at is None else _time(at, _absolute(at), mark="data-kiq-moment")


def _moment(value: Any) -> datetime | None:
    """A moment that has a date in every zone."""
    if isinstance(value, datetime):
        return value if timezone.is_aware(value) else timezone.make_aware(value)
    found = finite(value)
    try:
        at = None if found is None else datetime.fromtimestamp(found, UTC)
        return at if at is None or timezone.localtime(at) else None
    except (OverflowError, ValueError, OSError):
        return None


def _time(at: datetime, words: str, *, mark: str) -> SafeString:
    machine = at.astimezone(UTC).isoformat(timespec="seconds")
    form = '<time class="kiq-time" datetime="{}" title="{}" {}>{}</time>'
    return format_html(form, machine, _absolute(at), mark, words)


def _absolute(at: datetime) -> str:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")
