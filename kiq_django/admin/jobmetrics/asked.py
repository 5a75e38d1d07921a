"""What the address of a page of metrics asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from django.utils.translation import gettext_lazy

from kiq_django.admin.jobmetrics.columns import COLUMNS

PERIODS: Final[Mapping[str, tuple[int, Any]]] = {
    "1h": (60, gettext_lazy("1 h")),
    "8h": (480, gettext_lazy("8 h")),
    "24h": (1_440, gettext_lazy("24 h")),
    "72h": (4_320, gettext_lazy("72 h")),
}
"""Minutes, and what they are called."""
ORDERS: Final = tuple(f"{sign}{column.key}" for column in COLUMNS for sign in ("", "-"))
LONGEST_SEARCH: Final = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Period, order, search and page. Whatever is not known is as if it were not there."""

    period: str = "1h"
    order: str = "-total"
    """A column's key, after `-` when the largest come first."""
    text: str = ""
    page: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Asked:
        """From the parameters of an address."""
        period, order = given.get("period", ""), given.get("o", "")
        return cls(
            period if period in PERIODS else UNASKED.period,
            order if order in ORDERS else UNASKED.order,
            given.get("q", "").strip()[:LONGEST_SEARCH],
            given.get("page", "")[:10],
        )

    @property
    def minutes(self) -> int:
        return PERIODS[self.period][0]

    @property
    def column(self) -> str:
        """The key of the column that sorts."""
        return self.order.removeprefix("-")

    @property
    def is_descending(self) -> bool:
        return self.order.startswith("-")

    def address(self, **changed: str) -> str:
        """The same with something else in it; on the first page, unless a page is given."""
        asked = replace(self, **{"page": "", **changed})
        told = {"period": asked.period, "o": asked.order, "q": asked.text, "page": asked.page}
        usual = {"period": UNASKED.period, "o": UNASKED.order, "q": "", "page": ""}
        return "?" + urlencode({name: value for name, value in told.items() if value != usual[name]})

    def periods(self) -> list[tuple[str, Any, bool]]:
        """Address, label, and whether it is the one that is shown."""
        return [(self.address(period=key), label, key == self.period) for key, (_minutes, label) in PERIODS.items()]

    def orders(self) -> list[tuple[str, Any, bool]]:
        """Orders to choose from where a table has no heads, with labels; the largest of a number first."""
        first = [("-" if column.is_number else "", column) for column in COLUMNS]
        return [(f"{sign}{column.key}", column.label, column.key == self.column) for sign, column in first]


UNASKED: Final = Asked()
