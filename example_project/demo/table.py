"""The table at the end of `manage.py demo --once`."""

from collections.abc import Sequence

from example_project.demo.tally import Tally

HEADS = ("kind", "enqueued", "succeeded", "retried", "discarded", "dead", "run again", "p50 ms", "p95 ms")


def render(tallies: Sequence[Tally]) -> str:
    """Return the table as text, with a line of sums."""
    rows = [HEADS, *map(_cells, tallies), _sums(tallies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = [_line(row, widths) for row in rows]
    rule = "  ".join("─" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _cells(tally: Tally) -> tuple[str, ...]:
    counts = (tally.enqueued, tally.succeeded, tally.retried, tally.discarded, tally.dead, tally.again)
    times = (f"{seconds * 1000:,.1f}" if tally.enqueued else "" for seconds in (tally.p50, tally.p95))
    return (tally.title, *(str(number) for number in counts), *times)


def _sums(tallies: Sequence[Tally]) -> tuple[str, ...]:
    names = ("enqueued", "succeeded", "retried", "discarded", "dead", "again")
    return ("together", *(str(sum(getattr(tally, name) for tally in tallies)) for name in names), "", "")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if not index else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()
