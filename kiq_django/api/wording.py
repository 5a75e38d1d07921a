"""Numbers and lists in sentences, as the language in force writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from kiq_django import clock
from kiq_django.durations import relative

MOST_NAMES = 3
"""Things that a sentence names before it counts."""
LONGEST_QUOTE = 200
"""Characters."""
MEGABYTE = 1_048_576


def figure(number: float, decimals: int = 0) -> str:
    """`1,204`."""
    return number_format(number, decimals, force_grouping=True)


def megabytes(amount: float) -> str:
    """Bytes as `212.0 MB`."""
    return _("%(number)s MB") % {"number": figure(amount / MEGABYTE, 1)}


def percent(share: float) -> str:
    """`6 %` for 0.06."""
    return _("%(number)s %%") % {"number": figure(round(share * 100))}


def listed(names: Sequence[str], most: int = MOST_NAMES, separator: str = ", ") -> str:
    """`a, b, c and 5 more`."""
    shown = separator.join(names[:most])
    left = len(names) - most
    return _("%(names)s and %(count)s more") % {"names": shown, "count": figure(left)} if left > 0 else shown


def moment(seconds: float) -> str:
    """Epoch seconds as `Nov. 22, 2025, 7:40 p.m. (in 5 h)`, in the time zone in force."""
    ahead = relative(seconds - clock.now())
    try:
        when = timezone.localtime(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):  # others may have written any number
        return _("a time beyond the calendar (%(ahead)s)") % {"ahead": ahead}
    return _("%(date)s (%(ahead)s)") % {"date": date_format(when, "DATETIME_FORMAT"), "ahead": ahead}


def cut(text: str, most: int = LONGEST_QUOTE) -> str:
    """The words of others on one line, and not too many of them."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
