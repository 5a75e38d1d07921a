"""Where a search goes on, as a text that fits into an address and comes back from there."""

import math
import re
import struct

from django.utils.translation import gettext as _

from kiq_django.store.search import ANCHOR, Scope, Spot, Way

WAYS: dict[Way, str] = {1: "u", -1: "d"}
FORM = re.compile(rf"([ls])([ud])-([0-9]{{1,10}})-([0-9]{{1,10}})-([0-9a-f]{{16}})-({ANCHOR.pattern}|)")


def written(spot: Spot, scope: Scope, way: Way) -> str:
    """A spot as a text: ids and numbers, nothing of what stands in jobs. It fits the same place and order alone."""
    moment = struct.pack(">d", spot.moment).hex()
    return f"{_side(scope, way)}-{spot.before}-{spot.behind}-{moment}-{spot.anchor}"


def read(cursor: str, scope: Scope, way: Way) -> Spot | None:
    """Undo `written`; an empty text is None, the beginning.

    Raises:
        ValueError: it is none of ours, or of another search. Any text is safe to give.
    """
    if not cursor:
        return None
    found = FORM.fullmatch(cursor)
    if not found or found[1] + found[2] != _side(scope, way):
        raise ValueError(_("This is no place where the search can go on: begin it again."))
    (moment,) = struct.unpack(">d", bytes.fromhex(found[5]))
    if not math.isfinite(moment):
        raise ValueError(_("This is no place where the search can go on: begin it again."))
    return Spot(int(found[3]), int(found[4]), moment, found[6])


def _side(scope: Scope, way: Way) -> str:
    return ("l" if scope.kind == "list" else "s") + WAYS[way]
