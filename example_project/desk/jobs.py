"""The desk's background work. Each job shows one habit; what it does lies in a module that knows no jobs.

Every job may run twice: a worker that is killed leaves its jobs to the next one. So each is written to be the
same done twice as done once, and says how ("Again").
"""

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from example_project.desk import courier, imports, mails, rates, reports, thumbnails
from example_project.desk.models import Import, ImportChunk, Order, Receipt, Reminder, Shipment
from kiq_django import Discard, Kill, RetryOn, job


@job(queue="photos", tags=["photos"])
def make_thumbnail(photo: str, width: int) -> int:
    """The plainest job. Again: the same photograph and width write the same file."""
    return thumbnails.make(photo, width).bytes


@job(queue="imports")
def import_orders(import_id: int) -> None:
    """Fan out: one job for every 500 rows, so that all threads help and a crash costs a chunk, not the file.

    The chunks and their jobs come into being together: the jobs are pushed when the transaction commits.
    Again: chunks that are loaded already get no second job.
    """
    with transaction.atomic():
        try:
            chunks = imports.split(Import.objects.get(pk=import_id))
        except imports.FileGoneError as error:
            raise Kill(str(error)) from error  # no retry brings the file back: off to the dead set, where people look
        ids = import_chunk.enqueue_all((chunk.pk,) for chunk in chunks)
        for chunk, jid in zip(chunks, ids, strict=True):
            chunk.jid = jid  # final, although the job waits for the commit
        ImportChunk.objects.bulk_update(chunks, ["jid"])


@job(queue="imports", tags=["csv"])
def import_chunk(chunk_id: int) -> int:
    """Five hundred rows in one transaction. Again: rows that are there already are passed over."""
    return imports.load(ImportChunk.objects.select_related("source").get(pk=chunk_id))


@job(queue="mail", tags=["mail"])
def send_receipt(order: Order) -> None:
    """A model instance as argument travels as a reference and is read fresh when the job runs.

    So the job sees that a customer has changed her mind. Again: a receipt that is noted is not sent;
    killed between sending and noting, the job sends it twice, which is better than never.
    """
    if order.cancelled:
        raise Discard(f"{order.number} was cancelled")  # ends here: neither retry nor dead set
    if not Receipt.objects.filter(order=order).exists():
        mails.receipt(order).send()
        Receipt.objects.create(order=order)


@job(queue="mail", tags=["mail"])
def send_reminder(order: Order) -> None:
    """Enqueued with `enqueue_at`: it lies in the schedule until its time has come."""
    reminder = Reminder.objects.get(order=order)
    if reminder.sent_at is None:
        mails.reminder(order).send()
        reminder.sent_at = timezone.now()
        reminder.save(update_fields=["sent_at"])


@job(retry_on=[RetryOn(courier.CourierBusyError, wait=0.3, attempts=20)])
def book_courier(order: Order) -> None:
    """For an error that passes: its own patience, whatever other errors get. Again: one key is one parcel."""
    Shipment.objects.update_or_create(order=order, defaults={"tracking": courier.book(order)})


class OutOfPaperError(Exception):
    """The label printer has been out of paper since the summer party."""


LABEL_ATTEMPTS = 3


@job(retry_on=[RetryOn(OutOfPaperError, wait=0.5, attempts=LABEL_ATTEMPTS)])
def print_label(order: Order) -> None:
    """Never succeeds: three runs, then it lies in the dead set until a person looks and runs it again."""
    raise OutOfPaperError(f"no paper for the label of {order.number}")


@job(tags=["rates"])
async def refresh_rates(currencies: Sequence[str]) -> int:
    """A coroutine: all banks are asked at once, on the worker's event loop, and no thread waits for them."""
    return await rates.refresh(currencies)


@job
class MonthlyReport:
    """A class, for a job of several steps that share something. Every run gets an instance of its own."""

    def perform(self, month: date) -> str:
        self.month = month
        return reports.write(month, self.lines()).file

    def lines(self) -> list[dict]:
        return reports.lines_of(self.month)
