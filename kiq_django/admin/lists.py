"""Lists of what is in Redis, on the admin's own list page: rows in place of a QuerySet.

Django's list page asks little of a QuerySet: count it, slice it, take those with these keys. `Rows` answers that,
and `RowList` keeps the page from asking more. So filters, search, pages, actions and themes are Django's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch
from django.utils.text import capfirst

from kiq_django.admin.page import Page

if TYPE_CHECKING:
    from django.db.models import QuerySet

PER_PAGE = 50
CURSOR = "from"
"""The parameter that says where a search goes on."""


class Rows:
    """What a list shows. Subclasses say how many there are and read a stretch of them; both are asked once."""

    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        """So many rows from a position on."""
        raise NotImplementedError

    def chosen(self, keys: Sequence[str]) -> Sequence[Model]:
        """The rows of these keys, as far as they are still there. The keys come from a form: they may be anything."""
        raise NotImplementedError

    # -- what Django's page calls ------------------------------------------------------------------

    def __getitem__(self, stretch: slice) -> Sequence[Model]:
        return self.read(stretch.start or 0, (stretch.stop or 0) - (stretch.start or 0))

    def _clone(self) -> Sequence[Model]:
        return self.read(0, PER_PAGE)

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True


class Chosen:
    """The rows that somebody ticked, or all that the filters show."""

    def __init__(self, rows: Rows, keys: Sequence[str] | None = None) -> None:
        self.rows = rows
        self.keys = keys
        """None is all that match."""

    @property
    def everything(self) -> bool:
        """All that match, on this page and the others."""
        return self.keys is None

    def __iter__(self) -> Iterator[Model]:
        return iter(self.rows.chosen(self.keys or ()))

    def filter(self, pk__in: Sequence[str]) -> Chosen:
        """Those that were ticked, as Django's page calls it."""
        return Chosen(self.rows, pk__in)


class RowList(ChangeList):
    """Django's list page over `Rows`."""

    root_queryset: Any
    queryset: Any

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.title = str(capfirst(self.opts.verbose_name_plural))  # nothing is selected to be changed here

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.filter_specs, self.has_filters, rest, _, self.has_active_filters = self.get_filters(request)
        rest.pop(CURSOR, None)
        for name in self.model_admin.own_parameters:  # type: ignore[attr-defined]
            rest.pop(name, None)
        if rest:
            raise IncorrectLookupParameters(f"unknown parameters: {', '.join(rest)}")
        self.clear_all_filters_qs = self.get_query_string(remove=list(self.get_filters_params()))
        rows: Any = self.root_queryset
        for each in self.filter_specs:
            rows = each.queryset(request, rows) or rows
        return self.model_admin.search(rows, self.query) if self.query else rows  # type: ignore[attr-defined, no-any-return]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.is_empty = not self.result_count and not self.query and not self.has_active_filters
        self.empty = self.model_admin.empty  # type: ignore[attr-defined]
        self.searched = self.queryset.found if getattr(self.queryset, "is_search", False) else None
        self.is_continued = CURSOR in self.params
        self.next_url = self.get_query_string({CURSOR: self.searched.next}) if self.searched else ""
        if self.searched:
            self.multi_page = self.can_show_all = False

    def get_ordering_field_columns(self) -> dict[int, str]:  # type: ignore[override]
        return {}

    def url_for_result(self, result: Model) -> str:
        url: str = self.model_admin.url_of(result)  # type: ignore[attr-defined]
        if not url:
            raise NoReverseMatch("this row leads nowhere")  # Django then shows no link
        return url


class ListPage(Page):
    """A page that is a list."""

    list_per_page = PER_PAGE
    list_max_show_all = 0
    sortable_by = ()
    show_facets = ShowFacets.NEVER
    change_list_template = "admin/kiq/list.html"
    empty: tuple[Any, Any] = ("", "")
    """What is said of an empty list: a short line, and how things come here."""
    own_parameters: tuple[str, ...] = ()
    """Of the address, beside those of filters, pages and search."""

    def get_queryset(self, request: HttpRequest) -> Any:
        return self.rows(request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RowList

    def response_action(  # type: ignore[override]
        self, request: HttpRequest, queryset: Any, **more: Any
    ) -> HttpResponseBase | None:
        """An action gets `Chosen`, not `Rows`. Django 6.1 also says where on a page the action stands."""
        return super().response_action(request, Chosen(queryset), **more)  # type: ignore[arg-type]

    def rows(self, request: HttpRequest) -> Rows:
        """Everything that the list shows without filters."""
        raise NotImplementedError

    def search(self, rows: Rows, text: str) -> Rows:
        """The rows that contain a text."""
        return rows

    def url_of(self, row: Model) -> str:
        """Where a row leads."""
        raise NotImplementedError
