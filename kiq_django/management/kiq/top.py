"""`kiq top`: queues, processes and running jobs, live."""

import contextlib
import os
import select
import sys
from collections.abc import Callable, Iterator

from django.core.management.base import CommandError, CommandParser

from kiq_django.management.kiq import rich_view
from kiq_django.management.kiq.frame import Frame, Observer, Section, shares
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal, columns, cut

KEYS = "q quits, space looks again"
ENTER, HOME, CLEAR_LINE, CLEAR_BELOW, LEAVE = (
    "\x1b[?1049h\x1b[?25l",
    "\x1b[H",
    "\x1b[K",
    "\x1b[J",
    "\x1b[?25h\x1b[?1049l",
)
"""The other screen of a terminal without its cursor, and what draws on it."""
Draw = Callable[[Frame], None]


def top(terminal: Terminal, options: Options) -> None:
    """Look until somebody says q; once, where there is no terminal."""
    if options["every"] < 0.1:
        raise CommandError("--every must be 0.1 seconds or more: each look asks Redis")
    observer = Observer()
    if options["once"] or not (sys.stdout.isatty() and sys.stdin.isatty()):
        for line in lines(observer.look(), width=None, height=None):
            terminal.say(line)
        return
    with _keys() as pressed, _screen(options["plain"]) as draw, contextlib.suppress(KeyboardInterrupt):
        while True:
            draw(observer.look())
            if pressed(options["every"]) in ("q", "Q", "\x04"):
                return


def lines(frame: Frame, *, width: int | None, height: int | None) -> list[str]:
    """A frame as text: each table gets its share of the height, and says what is left out."""
    written = [*frame.head]
    if frame.trouble:
        written.append(f"! {frame.trouble}")
    room = shares(frame.sections, height - len(written) - 1) if height else [len(s.rows) for s in frame.sections]
    for section, rows in zip(frame.sections, room, strict=True):
        written += ["", *_table(section, rows)]
    if height:
        written = [*written[: height - 1], KEYS]
    return [cut(line, width) for line in written] if width else written


def _table(section: Section, most: int) -> list[str]:
    if not section.rows:
        return [section.title.upper(), section.empty]
    written = columns([(section.headers), *section.rows[:most]])
    left_out = len(section.rows) - most
    return [*written, f"... and {left_out:,} more"] if left_out > 0 else written


@contextlib.contextmanager
def _screen(plain: bool) -> Iterator[Draw]:
    """Something that draws, with `rich` where it is installed."""
    if not plain and rich_view.is_there():
        with rich_view.screen(KEYS) as draw:
            yield draw
        return
    sys.stdout.write(ENTER)
    try:
        yield _draw
    finally:
        sys.stdout.write(LEAVE)
        sys.stdout.flush()


def _draw(frame: Frame) -> None:
    size = os.get_terminal_size(sys.stdout.fileno())  # $COLUMNS does not change with the window
    text = f"{CLEAR_LINE}\r\n".join(lines(frame, width=size.columns, height=size.lines))
    sys.stdout.write(f"{HOME}{text}{CLEAR_LINE}{CLEAR_BELOW}")
    sys.stdout.flush()


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Waits for a key, without Enter and without showing it; the terminal is as before afterwards."""
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)

    def pressed(seconds: float) -> str:
        readable, _, _ = select.select([number], [], [], seconds)
        return os.read(number, 1).decode(errors="replace") if readable else ""

    tty.setcbreak(number)
    try:
        yield pressed
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _arguments(parser: CommandParser) -> None:
    parser.add_argument("--every", type=float, default=2.0, metavar="SEC", help="seconds between two looks (2)")
    parser.add_argument("--once", action="store_true", help="look once and print")
    parser.add_argument("--plain", action="store_true", help="without colours, also where `rich` is installed")


SUBCOMMANDS = (Subcommand("top", "queues, processes and running jobs, live", top, _arguments),)
