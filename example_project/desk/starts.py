"""How each kind of work is started: by the pages and by the demo alike."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from itertools import product
from typing import Any

from django.db import transaction
from django.utils import timezone

from example_project.desk import imports, jobs, orders, sample
from example_project.desk.catalogue import CURRENCIES, PHOTOS, WIDTHS
from example_project.desk.models import Import, Order, Reminder

Started = Mapping[str, Any]
"""What each job is about, by the job's id."""

REMINDER_AFTER = timedelta(seconds=3)
MONTHS = [date(2026, month, 1) for month in range(1, 7)]


def thumbnails() -> Started:
    wanted = list(product(PHOTOS, WIDTHS))
    return dict(zip(jobs.make_thumbnail.enqueue_all(wanted), wanted, strict=True))


def order_file() -> Started:
    with transaction.atomic():
        source = Import.objects.create()
        source.file = f"orders-{source.pk}.csv"
        source.save(update_fields=["file"])
        sample.write(imports.path_of(source))
        return {jobs.import_orders.enqueue(source.pk).id: source.pk}


def receipts() -> Started:
    """Orders and their jobs in one transaction: no order without a receipt, no receipt without an order."""
    with transaction.atomic():
        return {jobs.send_receipt.enqueue(order).id: order.pk for order in orders.place_some(20)}


def courier() -> Started:
    with transaction.atomic():
        return {jobs.book_courier.enqueue(order).id: order.pk for order in orders.place_some(20, seed=7)}


def reminders() -> Started:
    due = timezone.now() + REMINDER_AFTER
    with transaction.atomic():
        placed = orders.place_some(5, seed=3)
        Reminder.objects.bulk_create(Reminder(order=order, due_at=due) for order in placed)
        return {jobs.send_reminder.enqueue_at(due, order).id: order.pk for order in placed}


def rates() -> Started:
    return {jobs.refresh_rates.enqueue(list(CURRENCIES)).id: CURRENCIES for _ in range(3)}


def reports() -> Started:
    return {jobs.MonthlyReport.enqueue(month).id: month for month in MONTHS}


def labels() -> Started:
    with transaction.atomic():
        return {jobs.print_label.enqueue(order).id: order.pk for order in orders.place_some(3, seed=5)}


def cancelled() -> Started:
    """The customers change their minds before the jobs come to run: each job finds out by itself."""
    with transaction.atomic():
        placed = orders.place_some(3, seed=11)
        started = {jobs.send_receipt.enqueue(order).id: order.pk for order in placed}
        Order.objects.filter(pk__in=started.values()).update(cancelled=True)
    return started


class CardRefusedError(Exception):
    """The customer's bank said no, in the middle of the transaction."""


def rolled_back() -> Started:
    started = {}
    for seed in range(5):
        with suppress(CardRefusedError), transaction.atomic():
            [order] = orders.place_some(1, seed=seed)
            started[jobs.send_receipt.enqueue(order).id] = order.pk
            raise CardRefusedError
    return started
