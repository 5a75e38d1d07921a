"""`kiq scheduled`, `kiq retries`, `kiq dead`, `kiq find`: jobs to look at."""

import json
from functools import partial
from itertools import islice

from django.core.management.base import CommandError, CommandParser

from kiq_django.api import Budget, DeadSet, JobRecord, JobSet, RetrySet, ScheduledSet, look_up
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal, count, iso, printable, relative

SETS: dict[str, type[JobSet]] = {"scheduled": ScheduledSet, "retries": RetrySet, "dead": DeadSet}
WIDE = 48


def show(noun: str, terminal: Terminal, options: Options) -> None:
    """A page of a set, or what matches."""
    job_set = SETS[noun]()
    jobs = _chosen(job_set, options)
    if options["json"]:
        terminal.json([describe(job) for job in jobs])
        return
    if not jobs:
        terminal.say(f"No job is {'in retry' if noun == 'retries' else noun}{_matching(options['match'])}.")
        return
    terminal.table(("WHEN", "JID", "JOB", "QUEUE", "ARGUMENTS", "ERROR"), [_row(job) for job in jobs])
    terminal.say(f"{count(len(jobs), 'job')} of {job_set.size:,}.")


def _chosen(job_set: JobSet, options: Options) -> list[JobRecord]:
    limit: int = options["limit"]
    latest_first = job_set.name == "dead"
    if options["match"]:
        return list(islice(job_set.scan(options["match"], latest_first=latest_first), limit))
    return [*job_set.page(options["offset"], limit, latest_first=latest_first)]


def _matching(text: str) -> str:
    return f" with {text!r} in it" if text else ""


def _row(job: JobRecord) -> tuple[str, ...]:
    if job.payload is None:
        return relative(job.at), "-", "(unreadable)", "-", printable(repr(job.raw), WIDE), printable(job.error, WIDE)
    error = f"{job.error_class}: {' '.join(job.error_message.split())}" if job.error_class else ""
    return relative(job.at), job.jid, job.display_name, job.queue, call(job, WIDE), printable(error, WIDE)


def call(job: JobRecord, limit: int | None = None) -> str:
    """The arguments as they would be written in a call."""
    positional = (json.dumps(value, ensure_ascii=False) for value in job.args)
    named = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in job.kwargs.items())
    return printable(", ".join((*positional, *named)), limit)


def describe(job: JobRecord) -> dict[str, object]:
    """Everything about a job, for JSON."""
    return {
        "place": job.place,
        "at": iso(job.at),
        "jid": job.jid,
        "job": job.name,
        "queue": job.queue,
        "args": job.args,
        "kwargs": job.kwargs,
        "tags": job.tags,
        "created_at": iso(job.created_at),
        "enqueued_at": iso(job.enqueued_at),
        "failed_at": iso(job.failed_at),
        "retried_at": iso(job.retried_at),
        "retry_count": job.retry_count,
        "error_class": job.error_class,
        "error_message": job.error_message,
        "backtrace": job.backtrace,
        "unreadable": job.error,
    }


def _set_arguments(parser: CommandParser) -> None:
    parser.add_argument("--match", default="", metavar="TEXT", help="only jobs with this text in their JSON")
    parser.add_argument("--limit", type=int, default=25, metavar="N", help="so many jobs (25)")
    parser.add_argument("--offset", type=int, default=0, metavar="N", help="leave out the first N")


def find(terminal: Terminal, options: Options) -> None:
    """Everything about one job, wherever it is."""
    job = located(options["jid"], options["seconds"])
    if options["json"]:
        terminal.json(describe(job))
        return
    facts = {name.replace("_", " "): value for name, value in describe(job).items() if value not in ("", None, [], {})}
    facts.pop("args", None), facts.pop("kwargs", None)
    lines = facts.pop("backtrace", [])
    facts["call"] = f"{job.name}({call(job)})"
    terminal.table(("", ""), [(name, _plain(value)) for name, value in facts.items()])
    for line in lines if isinstance(lines, list) else []:
        terminal.say(f"    {printable(str(line))}")


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _find_arguments(parser: CommandParser) -> None:
    parser.add_argument("jid", metavar="JID")
    seconds_option(parser)


def seconds_option(parser: CommandParser) -> None:
    """How long a search may take."""
    parser.add_argument("--seconds", type=float, default=10, metavar="N", help="search so long at most (10)")


def located(jid: str, seconds: float) -> JobRecord:
    """The job of this id.

    Raises:
        CommandError: there is none, or the search took too long.
    """
    found = look_up(jid, Budget(seconds, jobs=10**9))
    if found.job is not None:
        return found.job
    if not found.complete:
        raise CommandError(f"Job {jid} was not found within {seconds:g} s. Search longer: --seconds {6 * seconds:g}")
    raise CommandError(f"There is no job {jid}: it is done, deleted, or never was.")


def _noun(noun: str, words: str) -> Subcommand:
    return Subcommand(noun, words, partial(show, noun), _set_arguments, reads=True)


SUBCOMMANDS = (
    _noun("scheduled", "jobs for later, the next first"),
    _noun("retries", "failed jobs that will be retried, the next first"),
    _noun("dead", "jobs that failed for good, the last first"),
    Subcommand("find", "one job, wherever it is", find, _find_arguments, reads=True),
)
