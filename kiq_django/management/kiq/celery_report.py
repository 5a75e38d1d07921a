"""`kiq celery-report`: what of a code base will not carry over from Celery."""

from dataclasses import asdict
from pathlib import Path

from django.core.management.base import CommandError, CommandParser

from kiq_django.contrib.celery.report import Note, Report, read
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal, count, printable


def celery_report(terminal: Terminal, options: Options) -> None:
    """Every line that has to change, or works otherwise. Ends as an error when something will not work."""
    report = read(Path(options["path"]))
    shown = [note for note in report.notes if note.severity != "info" or options["all"]]
    if options["json"]:
        terminal.json([asdict(note) for note in shown])
    else:
        _print(terminal, report, shown)
    if errors := report.count("error"):
        raise CommandError(f"{count(errors, 'thing')} will not work as it stands.")


def _print(terminal: Terminal, report: Report, shown: list[Note]) -> None:
    style = terminal.style
    paint = {"error": style.ERROR, "warning": style.WARNING, "info": style.NOTICE}
    for note in shown:
        where = printable(f"{note.file}:{note.line}")
        terminal.say(f"{where}: {paint[note.severity](note.severity)}: {printable(note.text)}")
        terminal.say(f"    -> {printable(note.remedy)}")
    hidden = report.count("info") if not any(note.severity == "info" for note in shown) else 0
    more = f" ({hidden} of them hidden: --all)" if hidden else ""
    terminal.say(
        f"{count(report.tasks, 'task')} in {count(report.files, 'file')}: {count(report.count('error'), 'error')}, "
        f"{count(report.count('warning'), 'warning')}, {report.count('info')} to change in passing{more}."
    )


def _arguments(parser: CommandParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a folder, or a file; it is read, not imported")
    parser.add_argument("-a", "--all", action="store_true", help="also what is to be changed in passing")


SUBCOMMANDS = (
    Subcommand(
        "celery-report", "read a project that uses Celery, and say what will not carry over", celery_report,
        _arguments, reads=True,
    ),
)  # fmt: skip
