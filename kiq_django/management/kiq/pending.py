"""`kiq check-pending`: is this release safe for what is waiting?"""

from dataclasses import asdict

from django.core.management.base import CommandError, CommandParser

from kiq_django.api.pending import Group, Pending, check_pending
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal, count, printable

WIDE = 90


def pending(terminal: Terminal, options: Options) -> None:
    """Hold every waiting job against the code that is loaded here; exit code 1 when one of them cannot run.

    Raises:
        CommandError: some cannot.
    """
    found = check_pending(options["seconds"], options["jobs"])
    bad = sum(group.count for group in found.groups if group.trouble)
    if options["json"]:
        terminal.json({**_figures(found), "groups": [asdict(group) for group in found.groups]})
    else:
        _show(terminal, found)
    if bad:
        raise CommandError(f"{count(bad, 'waiting job')} cannot run with this code", returncode=1)


def _figures(found: Pending) -> dict[str, object]:
    return {"safe": found.is_safe, "complete": found.complete, "looked_at": found.looked_at, "total": found.total}


def _show(terminal: Terminal, found: Pending) -> None:
    if not found.groups:
        terminal.say("No job waits: every release is safe.")
        return
    terminal.table(("JOBS", "JOB", "", "WHERE", "ONE OF THEM"), [_row(group) for group in found.groups])
    if not found.complete:
        part = f"{found.looked_at / found.total:.1%}"
        terminal.say(
            f"Looked at {found.looked_at:,} of {found.total:,} jobs ({part}), the next ones of each place. "
            "The others may differ: --seconds and --jobs look at more."
        )
    if found.is_safe:
        terminal.say(f"{count(found.looked_at, 'job')} can run with this code.")


def _row(group: Group) -> tuple[str | int, ...]:
    said = printable(group.trouble, WIDE) or (f"ok, as {group.runs_as}" if group.runs_as else "ok")
    places = ", ".join(f"{place} {number:,}" for place, number in group.places.items())
    return group.count, group.name, said, places, group.example


def _arguments(parser: CommandParser) -> None:
    parser.add_argument("--seconds", type=float, default=30, metavar="N", help="look for so long at most (30)")
    parser.add_argument("--jobs", type=int, default=1_000_000, metavar="N", help="at so many jobs at most (1,000,000)")


SUBCOMMANDS = (
    Subcommand(
        "check-pending", "whether this release can run what is waiting; exit code 1 if not", pending, _arguments,
        reads=True,
    ),
)  # fmt: skip
