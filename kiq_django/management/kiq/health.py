"""`kiq health`: how the worker of this container is."""

from django.core.management.base import CommandError, CommandParser

from kiq_django import probe
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal


def health(terminal: Terminal, options: Options) -> None:
    """The same as `python -m kiq_django.probe`, which starts quicker."""
    well, found = probe.look(**{name: options[name] for name in ("file", "at", "ready", "max_age")})
    if not well:
        raise CommandError(found)
    terminal.say(found)


def _arguments(parser: CommandParser) -> None:
    probe.add_arguments(parser)


SUBCOMMANDS = (
    Subcommand("health", "ask the worker here how it is; `python -m kiq_django.probe` is quicker", health, _arguments),
)
