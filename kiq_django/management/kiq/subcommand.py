"""One word after `manage.py kiq`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandParser

from kiq_django.management.kiq.terminal import Terminal

Options = Mapping[str, Any]


def nothing(parser: CommandParser) -> None:
    """No arguments."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """How it is called, what it takes, what it does."""

    name: str
    help: str
    run: Callable[[Terminal, Options], None]
    arguments: Callable[[CommandParser], None] = nothing
    reads: bool = False
    """It shows something, so that it also speaks JSON."""

    def add_to(self, parsers: Any) -> None:
        """Make it known to the parser of `kiq`."""
        parser = parsers.add_parser(self.name, help=self.help, description=self.help)
        parser.set_defaults(subcommand=self)
        self.arguments(parser)
        if self.reads:
            parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def yes_option(parser: CommandParser) -> None:
    """For what asks."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
