"""Files of orders, loaded piece by piece."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from example_project.desk.models import BadRow, Import, ImportChunk, Order

CHUNK = 500
Row = dict[str, str]


class FileGoneError(Exception):
    """The uploaded file is not there any more."""


def path_of(source: Import) -> Path:
    """Return where the uploaded file lies."""
    return Path(settings.UPLOADS) / source.file


def split(source: Import) -> list[ImportChunk]:
    """Cut an import into chunks and return those that are not loaded yet. Splitting again changes nothing.

    Raises:
        FileGoneError: there is no file to cut.
    """
    source.rows = sum(1 for _ in _read(source, 0, None))
    source.save(update_fields=["rows"])
    starts = range(0, source.rows, CHUNK)
    chunks = [ImportChunk(source=source, start=at, stop=min(at + CHUNK, source.rows)) for at in starts]
    ImportChunk.objects.bulk_create(chunks, ignore_conflicts=True)
    return list(source.chunks.filter(loaded=None))


def load(chunk: ImportChunk) -> int:
    """Write the chunk's orders and report its bad rows, both or neither. Return the number of orders."""
    orders, bad_rows = _sort_out(chunk, list(_read(chunk.source, chunk.start, chunk.stop)))
    with transaction.atomic():
        chunk.bad_rows.all().delete()
        BadRow.objects.bulk_create(bad_rows)
        Order.objects.bulk_create(orders, ignore_conflicts=True)  # a second run finds them there
        chunk.loaded = len(orders)
        chunk.save(update_fields=["loaded"])
    return len(orders)


def _read(source: Import, start: int, stop: int | None) -> Iterator[Row]:
    try:
        with path_of(source).open(newline="", encoding="utf-8") as file:
            yield from islice(csv.DictReader(file), start, stop)
    except FileNotFoundError as error:
        raise FileGoneError(f"{source.file} is not in {settings.UPLOADS}: upload it again") from error


def _sort_out(chunk: ImportChunk, rows: Sequence[Row]) -> tuple[list[Order], list[BadRow]]:
    orders, bad_rows = [], []
    for line, row in enumerate(rows, start=chunk.start + 2):  # line 1 is the header
        try:
            orders.append(_order(chunk, row))
        except (ValueError, KeyError, ValidationError) as error:
            bad_rows.append(
                BadRow(chunk=chunk, line=line, trouble=_trouble(error), text=", ".join(map(str, row.values()))[:500])
            )
    return orders, bad_rows


def _order(chunk: ImportChunk, row: Row) -> Order:
    order = Order(
        number=f"I{chunk.source_id}-{row['number']}",
        customer=row["customer"].partition(",")[0],
        email=row["email"],
        photo=row["photo"],
        size=row["size"],
        quantity=row["quantity"],
        price=row["price"],
        placed_at=datetime.fromisoformat(row["placed"]).replace(tzinfo=UTC),
        chunk=chunk,
    )
    order.clean_fields(exclude=["chunk"])
    return order


def _trouble(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())[:200]
    return str(error)[:200]
