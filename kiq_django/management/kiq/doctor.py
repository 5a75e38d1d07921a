"""`kiq doctor`: is all well?"""

from collections.abc import Iterator
from dataclasses import asdict

from django.core import checks
from django.core.management.base import CommandError

from kiq_django.api.diagnosis import Finding, Level, diagnose
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal, count, printable

TAG = "kiq_django"
TOLD_ALREADY = frozenset(f"kiq_django.{number}" for number in ("E002", "E003", "W003", "W004", "I001"))
"""Checks of what the diagnosis looks at too, and tells more of."""


def doctor(terminal: Terminal, options: Options) -> None:
    """Everything that was looked at; ends as an error when something is wrong."""
    found = [*diagnose(), *_checks()]
    if options["json"]:
        terminal.json([asdict(finding) for finding in found])
    else:
        _print(terminal, found)
    errors = sum(finding.level == "error" for finding in found)
    if errors:
        raise CommandError(f"{count(errors, 'error')} found.")


def _checks() -> Iterator[Finding]:
    """The system checks of this app, those of a deployment included."""
    messages = checks.run_checks(tags=[TAG], include_deployment_checks=True)
    shown = [message for message in messages if message.id not in TOLD_ALREADY]
    for message in shown:
        yield Finding(message.id or "check", _level(message), message.msg, message.hint or "")
    if not shown:
        yield Finding("checks", "ok", "manage.py check --deploy has nothing more to say")


def _level(message: checks.CheckMessage) -> Level:
    if message.level >= checks.ERROR:
        return "error"
    return "warn" if message.level >= checks.WARNING else "ok"


def _print(terminal: Terminal, found: list[Finding]) -> None:
    paint = {"ok": terminal.style.SUCCESS, "warn": terminal.style.WARNING, "error": terminal.style.ERROR}
    columns = max(len(finding.topic) for finding in found)
    for finding in found:
        word = paint[finding.level](f"{finding.level:5}")
        terminal.say(f"{word}  {printable(finding.topic):{columns}}  {printable(finding.text)}")
        if finding.remedy:
            terminal.say(f"{'':{columns + 9}}-> {printable(finding.remedy)}")


SUBCOMMANDS = (Subcommand("doctor", "look at everything, and say what to do", doctor, reads=True),)
