"""`manage.py kiq`: look after background jobs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kiq_django.exceptions import KiqError
from kiq_django.management.kiq import (
    acl,
    actions,
    celery_report,
    deploys,
    doctor,
    groups,
    health,
    operations,
    overview,
    pending,
    processes,
    queues,
    sets,
    top,
)
from kiq_django.management.kiq.terminal import Terminal

ROOMS = (
    overview,
    pending,
    queues,
    sets,
    actions,
    operations,
    processes,
    deploys,
    doctor,
    groups,
    health,
    top,
    acl,
    celery_report,
)


class Command(BaseCommand):
    """Hands over to one of the modules in `kiq_django.management.kiq`."""

    help = (
        "Look after background jobs. Nouns show, and print --json for programs; verbs act, and ask before what "
        "cannot be undone (--yes). Every word has its own --help."
    )
    requires_system_checks: list[str] = []
    """None: it shall help where the settings are wrong, and `doctor` tells of them."""

    def add_arguments(self, parser: CommandParser) -> None:
        """One parser for each word, nouns first."""
        parsers = parser.add_subparsers(title="words", metavar="WORD", required=True)
        words = [each for room in ROOMS for each in room.SUBCOMMANDS]
        for subcommand in sorted(words, key=lambda word: not word.reads):
            subcommand.add_to(parsers)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the word; our errors are told in one sentence.

        Raises:
            CommandError: it could not be done, or was not found.
        """
        try:
            options["subcommand"].run(Terminal(self.stdout, self.style), options)
        except (KiqError, ValueError) as error:
            raise CommandError(str(error)) from error
