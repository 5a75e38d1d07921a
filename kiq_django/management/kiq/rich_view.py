"""`kiq top` in colours, by the package `rich`: `pip install "kiq-django[tui]"`."""

import contextlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from kiq_django.management.kiq.frame import Frame, Section, shares
from kiq_django.management.kiq.terminal import printable

STYLES = {"paused": "yellow", "quiet": "yellow", "open": "green", "at work": "green"}


def is_there() -> bool:
    """The package is installed."""
    return find_spec("rich") is not None


@contextlib.contextmanager
def screen(keys: str) -> Iterator[Callable[[Frame], None]]:
    """Draws on the other screen of the terminal; it is as before afterwards."""
    from rich.live import Live

    with Live(screen=True, auto_refresh=False) as live:
        yield lambda frame: live.update(_layout(frame, keys, live.console.size.height), refresh=True)


def _layout(frame: Frame, keys: str, height: int) -> Any:
    from rich.layout import Layout
    from rich.panel import Panel
    from rich.text import Text

    head = Text("\n".join(frame.head), style="bold")
    if frame.trouble:
        head.append(f"\n! {frame.trouble}", style="bold red")
    layout = Layout()
    parts = [Layout(head, size=len(frame.head) + bool(frame.trouble))]
    for section, rows in zip(frame.sections, shares(frame.sections, height - len(frame.head) - 2), strict=True):
        panel = Panel(_table(section, rows), title=section.title, title_align="left")
        parts.append(Layout(panel, size=max(3, rows + 3 + (rows < len(section.rows)))))
    layout.split_column(*parts, Layout(Text(keys, style="dim"), minimum_size=1))
    return layout


def _table(section: Section, most: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    if not section.rows:
        return Text(section.empty, style="dim")
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
    for header, cell in zip(section.headers, section.rows[0], strict=True):
        table.add_column(header, justify="right" if isinstance(cell, int) else "left", no_wrap=True)
    for row in section.rows[:most]:
        # As text, never as markup: the arguments of a job may hold anything.
        table.add_row(*(Text(_cell(cell), style=STYLES.get(str(cell), "")) for cell in row))
    if len(section.rows) > most:
        table.caption = f"and {len(section.rows) - most:,} more"
    return table


def _cell(cell: str | int) -> str:
    return f"{cell:,}" if isinstance(cell, int) else printable(cell)
