"""`kiq operations`: what is being done with many jobs at once, and how to end it."""

import getpass
import socket
from dataclasses import asdict

from django.core.management.base import CommandError, CommandParser

from kiq_django.api.operation import Operation
from kiq_django.api.operations import Operations
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal, count, duration, iso, printable, relative

TIMES = ("started_at", "begun_at", "heartbeat", "finished_at", "when")


def operations(terminal: Terminal, options: Options) -> None:
    """All that are known, or the end of one."""
    if options["action"]:
        _cancel(terminal, options)
        return
    found = Operations().all(options["limit"])
    if options["json"]:
        terminal.json([_plain(operation) for operation in found])
        return
    if not found:
        terminal.say("No operation is known: those that ended are forgotten after a week.")
        return
    headers = ("ID", "STARTED", "BY", "WHAT", "STATE", "DONE", "GONE", "UNREADABLE", "LEFT")
    terminal.table(headers, [_row(operation) for operation in found])


def _plain(operation: Operation) -> dict[str, object]:
    derived = {"percent": operation.percent, "rate": operation.rate, "remaining": operation.remaining}
    times = {name: iso(getattr(operation, name)) for name in TIMES}
    return {**asdict(operation), **times, "where": operation.where.given, **derived}


def _row(operation: Operation) -> tuple[str | int, ...]:
    return (
        operation.id,
        relative(operation.started_at),
        printable(operation.by, 24),
        printable(_what(operation), 72),
        _state(operation),
        operation.done,
        operation.gone,
        operation.skipped,
        "-" if operation.has_ended or operation.remaining is None else duration(operation.remaining),
    )


def _what(operation: Operation) -> str:
    """`retry dead over 10 min where name=shop.jobs.pay`."""
    words = [operation.verb, operation.queue or operation.place]
    if operation.spread:
        words.append(f"over {duration(operation.spread)}")
    if operation.when is not None:
        words.append(f"to {iso(operation.when)}")
    if operation.to:
        words.append(f"to {operation.to}")
    given = operation.where.given.items()
    chosen = [f"{name}={value if isinstance(value, str) else iso(value)}" for name, value in given]
    return " ".join([*words, *(["where", *chosen] if chosen else [])])


def _state(operation: Operation) -> str:
    if operation.state == "running":
        return f"{operation.percent:.0f} %"
    if operation.state == "failed":
        return printable(f"failed: {operation.error}", 60)
    return f"cancelled at {operation.percent:.0f} %" if operation.state == "cancelled" else operation.state


def _cancel(terminal: Terminal, options: Options) -> None:
    ids = options["ids"]
    if not ids:
        raise CommandError("Say which: kiq operations cancel ID ...")
    known = Operations()
    troubles = [trouble for operation in ids if (trouble := _ended(terminal, known, operation))]
    if troubles:
        raise CommandError(" ".join(troubles))


def _ended(terminal: Terminal, known: Operations, operation: str) -> str:
    """End one. What went wrong, if anything: the others shall have their turn."""
    cancelled = known.cancel(operation, by=f"{getpass.getuser()}@{socket.gethostname()}")
    now = known.find(operation)
    if now is None:
        return f"There is no operation {operation}: kiq operations lists them."
    if not cancelled:
        return f"Operation {operation} has ended before: {_state(now)}."
    terminal.say(f"Cancelled {operation}: {count(now.done, 'job')} done, the others stay as they are.")
    return ""


def _arguments(parser: CommandParser) -> None:
    parser.add_argument("action", nargs="?", choices=["cancel"], metavar="cancel", help="end operations")
    parser.add_argument("ids", nargs="*", metavar="ID", help="which")
    parser.add_argument("--limit", type=int, default=25, metavar="N", help="show the last N (25)")


SUBCOMMANDS = (
    Subcommand(
        "operations", "what is done with many jobs at once: progress, cancel", operations, _arguments, reads=True
    ),
)
