"""The turnover of a month as a small web page."""

import calendar
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db.models import F, QuerySet, Sum
from django.template.loader import render_to_string

from example_project.desk.catalogue import PHOTOS
from example_project.desk.files import replace_file
from example_project.desk.models import Order, Report


def orders_of(month: date) -> QuerySet[Order]:
    """Return what was ordered in the month that `month` lies in, and not cancelled."""
    first = datetime(month.year, month.month, 1, tzinfo=UTC)
    days = calendar.monthrange(month.year, month.month)[1]
    return Order.objects.filter(placed_at__gte=first, placed_at__lt=first + timedelta(days=days), cancelled=False)


def lines_of(month: date) -> list[dict]:
    """Return photograph, prints and turnover, the best seller first."""
    sums = (
        orders_of(month)
        .order_by()
        .values("photo")
        .annotate(prints=Sum("quantity"), turnover=Sum(F("price") * F("quantity")))
    )
    return [{**line, "title": PHOTOS[line["photo"]].title} for line in sums.order_by("-turnover", "photo")]


def write(month: date, lines: list[dict]) -> Report:
    """Write the report and its row. Written again, it replaces the former."""
    month = month.replace(day=1)
    name = f"reports/{month:%Y-%m}.html"
    total = sum((line["turnover"] for line in lines), Decimal("0.00"))
    page = render_to_string("desk/report.html", {"month": month, "lines": lines, "total": total})
    with replace_file(Path(settings.MEDIA_ROOT) / name) as file:
        file.write(page.encode())
    facts = {"orders": orders_of(month).count(), "turnover": total, "file": name}
    return Report.objects.update_or_create(month=month, defaults=facts)[0]
