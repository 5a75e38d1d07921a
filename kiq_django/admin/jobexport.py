"""Jobs as a file: one JSON document a line, secrets hidden."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext_lazy

from kiq_django import models, redaction, routing
from kiq_django.admin import audit, jobtext
from kiq_django.admin.lazily import api, submodule
from kiq_django.admin.lists import Chosen

if TYPE_CHECKING:
    from kiq_django.api import JobRecord

MOST = 100_000
"""Jobs of one file."""
SECONDS = 20.0


@admin.action(description=gettext_lazy("Export as JSON lines"))
def export(page: Any, request: HttpRequest, chosen: Chosen) -> HttpResponse | StreamingHttpResponse:
    """The jobs that were ticked, or all that match, as a file."""
    if not jobtext.may_see_arguments(request):
        raise PermissionDenied
    rows: Any = chosen.rows
    records = _all(rows) if chosen.everything else (row.record for row in chosen)  # type: ignore[attr-defined]
    audit.record(request, models.Audit(rows.place.kind), "export", details={"filter": str(rows.where.given or "all")})
    response = StreamingHttpResponse(_lines(records), content_type="application/x-ndjson")
    response.headers["Content-Disposition"] = f'attachment; filename="{rows.place.kind}.jsonl"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _all(rows: Any) -> Iterator[JobRecord]:
    search = submodule("search")
    region, way = rows.place.region(rows.where)
    for found in search.walk(region, rows.where, way, api.Budget(SECONDS, MOST)):
        yield from found.jobs


def _lines(records: Iterable[JobRecord]) -> Iterator[str]:
    for record in records:
        yield json.dumps(told(record), ensure_ascii=False, default=str) + "\n"


def told(record: JobRecord) -> dict[str, Any]:
    """A job as others may read it."""
    payload = record.payload
    if payload is None:
        return {"place": record.place, "at": record.at, "error": record.error}
    args, kwargs = redaction.redact_call(payload, routing.find(payload))
    rest = {name: value for name, value in payload.document.items() if name not in ("args", "kwargs")}
    shown = {**rest, "error_message": redaction.redact_text(record.error_message)}
    return {**redaction.redact(shown), "args": args, "kwargs": kwargs, "place": record.place, "score": record.at}
