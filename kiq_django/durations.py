"""Durations as people say them: `4 min 10 s`, `3 d`, `0.4 s`. In the language and the number format in force."""

from itertools import pairwise
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, pgettext

SECONDS: Final = gettext_noop("%(number)s s")
UNITS: Final = (
    (86_400, gettext_noop("%(number)s d")),
    (3_600, gettext_noop("%(number)s h")),
    (60, gettext_noop("%(number)s min")),
    (1, SECONDS),
)
"""Seconds of a unit, and how so many of it are written."""
EXACT_BELOW: Final = 10
"""Seconds below which tenths count."""
MILLISECONDS_BELOW: Final = 100
LONGEST: Final = 1e12
"""Seconds. Times that others wrote may be any number, infinity and none among them."""


def human(seconds: float, parts: int = 2) -> str:
    """`4 min 10 s`, `3 d`, `0.4 s`, `85 ms`. What is negative counts as 0.

    Args:
        seconds: any number; beyond `LONGEST` it is that.
        parts: 2 names the next smaller unit too, where it is not 0. 1 names one, and stays with the smaller unit up to
            twice the larger: `90 s`, `2 min`, `36 h`.
    """
    seconds = min(max(0.0, float(seconds)), LONGEST)
    if round(seconds, 1) < EXACT_BELOW:
        return _short(seconds)
    for (large, name), (small, smaller_name) in pairwise(UNITS):
        number, rest = divmod(round(seconds / small), large // small)
        if parts == 1 and number > 1:
            return _written(name, seconds / large)
        if parts > 1 and number:
            first = _written(name, number)
            words = {"first": first, "second": _written(smaller_name, rest)}
            return pgettext("duration", "%(first)s %(second)s") % words if rest else first
    return _written(SECONDS, seconds)


def relative(ahead: float, parts: int = 1) -> str:
    """`in 5 h`, `3 min ago`, `now`, for a moment that lies so many seconds ahead."""
    if abs(ahead) < 1:
        return _("now")
    text = {"duration": human(abs(ahead), parts)}
    return _("in %(duration)s") % text if ahead > 0 else _("%(duration)s ago") % text


def _short(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < MILLISECONDS_BELOW:
        return _("%(number)s ms") % {"number": milliseconds}
    tenths = round(seconds, 1)
    return _(SECONDS) % {"number": number_format(tenths, 0 if tenths.is_integer() else 1)}


def _written(unit: str, number: float) -> str:
    return _(unit) % {"number": number_format(round(number), 0, force_grouping=True)}
