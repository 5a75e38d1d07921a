"""`kiq retry`, `kiq kill`, `kiq delete`: what can be done to jobs by id, or to all of a set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import methodcaller

from django.core.management.base import CommandError, CommandParser

from kiq_django.api import JobRecord, JobSet
from kiq_django.api.sets import KillableSet
from kiq_django.exceptions import MalformedPayload, Unsupported
from kiq_django.management.kiq.progress import Progress
from kiq_django.management.kiq.sets import SETS, located, seconds_option
from kiq_django.management.kiq.subcommand import Options, Subcommand, yes_option
from kiq_django.management.kiq.terminal import Terminal, count


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One of the three."""

    name: str
    done: str
    one: Callable[[JobRecord], bool]
    many: Callable[[JobSet, Options, Progress], int]
    sets: Sequence[str]
    """To all jobs of which it can be done."""
    usual: str | None = None
    """The set that a bare --all means."""
    final: bool = False
    """It cannot be undone, so it asks for one job already."""

    def run(self, terminal: Terminal, options: Options) -> None:
        """To all, or to those named."""
        if bool(options["all"]) == bool(options["jids"]):
            raise CommandError(f"Say which jobs: kiq {self.name} JID ..., or kiq {self.name} --all SET")
        if options["match"] and not options["all"]:
            raise CommandError("--match chooses among the jobs of --all SET")
        (self._to_all if options["all"] else self._to_named)(terminal, options)

    def _to_all(self, terminal: Terminal, options: Options) -> None:
        noun, text = options["all"], options["match"]
        job_set = SETS[noun]()
        number = job_set.size if not text else None
        if not options["yes"]:
            number = sum(1 for _ in job_set.scan(text)) if number is None else number
            matching = f" with {text!r} in their JSON" if text else ""
            terminal.confirm(f"{self.name.capitalize()} {count(number, 'job')} of {noun}{matching}?", yes=False)
        with Progress(self.done, f"of {noun}", number) as progress:
            done = self.many(job_set, options, progress)
        terminal.say(f"{self.done} {count(done, 'job')} of {noun}.")

    def _to_named(self, terminal: Terminal, options: Options) -> None:
        jids = list(dict.fromkeys(options["jids"]))
        if self.final:
            terminal.confirm(f"{self.name.capitalize()} {count(len(jids), 'job')} for good?", yes=options["yes"])
        troubles = [self._to_one(terminal, jid, options["seconds"]) for jid in jids]
        if any(troubles):
            raise CommandError(" ".join(filter(None, troubles)))

    def _to_one(self, terminal: Terminal, jid: str, seconds: float) -> str:
        """What went wrong, if anything: the other jobs shall have their turn."""
        try:
            job = located(jid, seconds)
            if not self.one(job):
                return f"Job {jid} has just left its place: try again."
        except CommandError as error:
            return str(error)
        except (MalformedPayload, Unsupported) as error:
            return f"Job {jid}: {error}."
        terminal.say(f"{self.done} {job.display_name} {jid}.")
        return ""

    def arguments(self, parser: CommandParser) -> None:
        """What it takes."""
        parser.add_argument("jids", nargs="*", metavar="JID")
        every = f"all jobs of {' or '.join(self.sets)}" + (
            f" (of {self.usual} when none is named)" if self.usual else ""
        )
        parser.add_argument(
            "--all",
            nargs="?" if self.usual else None,
            const=self.usual,
            choices=self.sets,
            metavar="SET",
            help=every,
        )
        parser.add_argument("--match", default="", metavar="TEXT", help="of these, those with this text in their JSON")
        seconds_option(parser)
        yes_option(parser)


def _retry_arguments(parser: CommandParser) -> None:
    RETRY.arguments(parser)
    parser.add_argument(
        "--spread", type=float, default=0, metavar="N", help="with --all: each at random within N minutes"
    )


def _retry_all(job_set: JobSet, options: Options, progress: Progress) -> int:
    return job_set.retry_all(options["match"], progress, spread=60 * options["spread"])


def _kill_all(job_set: JobSet, options: Options, progress: Progress) -> int:
    return job_set.kill_all(options["match"], progress) if isinstance(job_set, KillableSet) else 0


def _delete_all(job_set: JobSet, options: Options, progress: Progress) -> int:
    """All of a set go in one step, at any size."""
    return job_set.delete_all(options["match"], progress) if options["match"] else job_set.clear()


ANY = tuple(SETS)
RETRY = Deed(name="retry", done="Retried", one=methodcaller("retry"), many=_retry_all, sets=ANY, usual="retries")
KILL = Deed(name="kill", done="Killed", one=methodcaller("kill"), many=_kill_all, sets=("scheduled", "retries"))
DELETE = Deed(name="delete", done="Deleted", one=methodcaller("delete"), many=_delete_all, sets=ANY, final=True)

SUBCOMMANDS = (
    Subcommand("retry", "run jobs now that failed, died or were scheduled", RETRY.run, _retry_arguments),
    Subcommand("kill", "put jobs into the dead set", KILL.run, KILL.arguments),
    Subcommand("delete", "throw jobs away", DELETE.run, DELETE.arguments),
)
