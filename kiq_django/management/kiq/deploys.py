"""`kiq mark`: deploys, as metrics show them."""

from django.core.management.base import CommandError, CommandParser

from kiq_django.api import Metrics
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal


def mark(terminal: Terminal, options: Options) -> None:
    """Note a deploy, once however many hosts say it."""
    label = " ".join(options["label"]).strip()
    if not label:
        raise CommandError("Say what was deployed: kiq mark LABEL")
    done = Metrics().mark(label)
    terminal.say(f"Marked {label}." if done else f"{label} was marked within the last minute already.")


def _arguments(parser: CommandParser) -> None:
    parser.add_argument("label", nargs="+", metavar="LABEL", help="a version, or the subject of a commit")


SUBCOMMANDS = (Subcommand("mark", "note a deploy, which the metrics show, Sidekiq's too", mark, _arguments),)
