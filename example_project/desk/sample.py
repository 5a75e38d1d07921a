"""A file of orders as another shop would send it: mostly good, with a few rows that nobody should swallow."""

import csv
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from example_project.desk.catalogue import PHOTOS, PRICES
from example_project.desk.orders import somebody

HEADER = ("number", "placed", "customer", "email", "photo", "size", "quantity", "price")
FIRST_DAY = date(2026, 1, 1)
DAYS = 180
# Where a row goes wrong: number of the row, column, and what stands there instead.
FAULTS = (
    (137, "email", "nobody at example.com"),
    (1_204, "quantity", "-3"),
    (2_751, "placed", "31.02.2026"),
    (4_096, "photo", "unicorn"),
    (6_500, "price", "free"),
    (8_888, "size", "1x1"),
    (10_023, "customer", ""),
    (11_999, "quantity", "a dozen"),
)
ROWS = 12_000


def write(path: Path, *, rows: int = ROWS, seed: int = 2026) -> None:
    """Write a CSV file with `rows` orders: byte for byte the same for the same seed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(_rows(rows, random.Random(seed)))


def _rows(amount: int, chance: random.Random) -> Iterator[dict[str, str]]:
    faults = {row: (column, text) for row, column, text in FAULTS}
    for index in range(amount):
        row = _row(index, chance)
        if index in faults:
            column, text = faults[index]
            row[column] = text
        yield row


def _row(index: int, chance: random.Random) -> dict[str, str]:
    customer, email = somebody(chance)
    size = chance.choice(sorted(PRICES))
    return {
        "number": f"{index + 1:05d}",
        "placed": (FIRST_DAY + timedelta(days=index * DAYS // ROWS)).isoformat(),
        "customer": f'{customer}, "the {chance.choice(("elder", "younger"))}"',
        "email": email,
        "photo": chance.choice(sorted(PHOTOS)),
        "size": size,
        "quantity": str(chance.randint(1, 9)),
        "price": str(PRICES[size]),
    }
