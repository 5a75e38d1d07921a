"""Everything that can be started on the desk, and the end that each kind of job must come to."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from example_project.desk import jobs, starts


class End(enum.Enum):
    """What must become of a job."""

    DONE = "succeeds"
    DEAD = "ends in the dead set"
    DISCARDED = "is discarded"
    NEVER = "never runs"


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can be started."""

    slug: str
    title: str
    story: str
    button: str
    start: Callable[[], starts.Started]
    job: Any
    end: End = End.DONE


KINDS = {
    kind.slug: kind
    for kind in (
        Kind(
            "thumbnails",
            "Thumbnails",
            "Five photographs in five widths, made with Pillow. Plain jobs, pushed in one round trip.",
            "Make 25 pictures",
            starts.thumbnails,
            jobs.make_thumbnail,
        ),
        Kind(
            "receipts",
            "Receipts",
            "Twenty new orders, a mail for each. The jobs are pushed when the orders are committed.",
            "Place 20 orders",
            starts.receipts,
            jobs.send_receipt,
        ),
        Kind(
            "courier",
            "Courier",
            "A web service that fails at random, or hangs up. The jobs try again until it is in the mood.",
            "Book 20 vans",
            starts.courier,
            jobs.book_courier,
        ),
        Kind(
            "reminders",
            "Reminders",
            "Five mails that must not go out before their time. They wait in the schedule for three seconds.",
            "Remind 5 people",
            starts.reminders,
            jobs.send_reminder,
        ),
        Kind(
            "rates",
            "Exchange rates",
            "Coroutines: six banks asked at once, three times over, on one event loop and no thread.",
            "Fetch the rates",
            starts.rates,
            jobs.refresh_rates,
        ),
        Kind(
            "reports",
            "Monthly reports",
            "A job that is a class: the turnover of half a year, one web page a month.",
            "Write 6 reports",
            starts.reports,
            jobs.MonthlyReport,
        ),
        Kind(
            "labels",
            "Parcel labels",
            "The printer is out of paper and stays so. Three runs each, then the jobs lie in the dead set.",
            "Print 3 labels",
            starts.labels,
            jobs.print_label,
            End.DEAD,
        ),
        Kind(
            "cancelled",
            "Second thoughts",
            "Orders that are cancelled before their receipts go out. The jobs see it and discard themselves.",
            "Cancel 3 orders",
            starts.cancelled,
            jobs.send_receipt,
            End.DISCARDED,
        ),
        Kind(
            "rolled-back",
            "Refused cards",
            "Orders whose transaction is rolled back. Their jobs have an id, and never exist.",
            "Refuse 5 cards",
            starts.rolled_back,
            jobs.send_receipt,
            End.NEVER,
        ),
        Kind(
            "import",
            "Import of orders",
            "A CSV file of 12,000 rows, eight of them bad, cut into jobs of 500 rows each.",
            "Import the file",
            starts.order_file,
            jobs.import_orders,
        ),
    )
}
