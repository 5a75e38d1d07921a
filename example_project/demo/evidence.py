"""Looks at the work itself, apart from all counting: the pictures, the orders, the mails, the parcels."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from PIL import Image

from example_project.demo import service
from example_project.demo.batches import Batch
from example_project.desk import postbox, reports, sample
from example_project.desk.models import (
    BadRow,
    Import,
    Order,
    Rate,
    Receipt,
    Reminder,
    Report,
    Shipment,
    Thumbnail,
)

Troubles = Iterator[str]


def troubles_of(batch: Batch, seed: int) -> list[str]:
    """Say what is wrong with the work of a batch; nothing if all is there."""
    look = LOOKS.get(batch.kind.slug)
    return [f"{batch.kind.title}: {trouble}" for trouble in look(batch, seed)] if look else []


def _thumbnails(batch: Batch, _seed: int) -> Troubles:
    for photo, width in batch.subjects:
        row = Thumbnail.objects.filter(photo=photo, width=width).first()
        if row is None:
            yield f"{photo} at {width} px is missing"
            continue
        with Image.open(Path(settings.MEDIA_ROOT) / row.file) as picture:
            picture.load()
            if picture.size != (row.width, row.height):
                yield f"{row.file} is {picture.size}, not {(row.width, row.height)}"


def _receipts(batch: Batch, _seed: int) -> Troubles:
    mails = _mails("Your receipt for")
    for order in Order.objects.filter(pk__in=batch.subjects):
        if not mails[order.number]:
            yield f"no mail for {order}"
        if not Receipt.objects.filter(order=order).exists():
            yield f"no receipt noted for {order}"


def _cancelled(batch: Batch, _seed: int) -> Troubles:
    mails = _mails("Your receipt for")
    for order in Order.objects.filter(pk__in=batch.subjects):
        if mails[order.number] or Receipt.objects.filter(order=order).exists():
            yield f"{order} was cancelled, and still got a receipt"


def _courier(batch: Batch, seed: int) -> Troubles:
    for order in Order.objects.filter(pk__in=batch.subjects):
        wanted = service.tracking_number(seed, order.number)
        if not Shipment.objects.filter(order=order, tracking=wanted).exists():
            yield f"no parcel {wanted} for {order}"


def _reminders(batch: Batch, _seed: int) -> Troubles:
    mails = _mails("Your prints are ready")
    for reminder in Reminder.objects.filter(order__in=batch.subjects).select_related("order"):
        if not mails[reminder.order.number] or reminder.sent_at is None:
            yield f"no reminder of {reminder.order}"
        elif reminder.sent_at < reminder.due_at - timedelta(milliseconds=5):
            yield f"the reminder of {reminder.order} went out {reminder.due_at - reminder.sent_at} too early"


def _rates(batch: Batch, seed: int) -> Troubles:
    for currency in {currency for currencies in batch.subjects for currency in currencies}:
        if not Rate.objects.filter(currency=currency, value=Decimal(service.rate(seed, currency))).exists():
            yield f"no rate of {currency}, or a wrong one"


def _import(batch: Batch, _seed: int) -> Troubles:
    for source in Import.objects.filter(pk__in=batch.subjects):
        orders = Order.objects.filter(chunk__source=source).count()
        if orders != sample.ROWS - len(sample.FAULTS):
            yield f"{orders} orders of {sample.ROWS} rows of which {len(sample.FAULTS)} are bad"
        reported = list(BadRow.objects.filter(chunk__source=source).order_by("line").values_list("line", flat=True))
        if reported != [row + 2 for row, _, _ in sample.FAULTS]:
            yield f"bad rows reported in lines {reported}"


def _reports(batch: Batch, _seed: int) -> Troubles:
    for month in batch.subjects:
        orders = list(reports.orders_of(month))
        report = Report.objects.filter(month=month).first()
        if report is None or (report.orders, report.turnover) != (
            len(orders),
            sum(order.total for order in orders),
        ):
            yield f"{month:%B %Y} is missing or wrong"
        elif str(report.turnover) not in (Path(settings.MEDIA_ROOT) / report.file).read_text():
            yield f"{report.file} does not show the turnover {report.turnover}"


def _mails(subject: str) -> Counter[str]:
    """Count the mails of one sort by the order's number."""
    return Counter(mail.order for mail in postbox.mails() if mail.subject.startswith(subject))


LOOKS: Mapping[str, Callable[[Batch, int], Troubles]] = {
    "thumbnails": _thumbnails,
    "receipts": _receipts,
    "cancelled": _cancelled,
    "courier": _courier,
    "reminders": _reminders,
    "rates": _rates,
    "import": _import,
    "reports": _reports,
}
