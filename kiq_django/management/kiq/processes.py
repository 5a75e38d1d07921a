"""`kiq processes`, `kiq running`, `kiq quiet`, `kiq stop`."""

from collections.abc import Sequence

from django.core.management.base import CommandError, CommandParser

from kiq_django.api import Process, ProcessSet, Work, WorkSet
from kiq_django.management.kiq.sets import call, describe
from kiq_django.management.kiq.subcommand import Options, Subcommand, yes_option
from kiq_django.management.kiq.terminal import Terminal, count, duration, iso, relative

WIDE = 48


def processes(terminal: Terminal, options: Options) -> None:
    """Who works."""
    found = list(ProcessSet())
    if options["json"]:
        terminal.json([_plain(process) for process in found])
        return
    if not found:
        terminal.say("No worker runs. Start one: manage.py runworker")
        return
    headers = ("PROCESS", "TAG", "QUEUES", "BUSY", "MEMORY", "ROUND TRIP", "STARTED", "STATE", "VERSION")
    terminal.table(headers, [_row(process) for process in found])


def _plain(process: Process) -> dict[str, object]:
    return {
        "identity": process.identity,
        "hostname": process.hostname,
        "pid": process.pid,
        "tag": process.tag,
        "labels": process.labels,
        "queues": process.queues,
        "weights": process.weights,
        "concurrency": process.concurrency,
        "busy": process.busy,
        "quiet": process.is_quiet,
        "rss_kb": process.rss,
        "rtt_us": process.rtt,
        "beat": iso(process.beat),
        "started_at": iso(process.started_at),
        "version": process.version,
    }


def _row(process: Process) -> tuple[str, ...]:
    return (
        process.identity,
        process.tag,
        ",".join(process.queues),
        f"{process.busy} of {process.concurrency}",
        f"{process.rss / 1024:,.0f} MB",
        f"{process.rtt / 1000:.1f} ms",
        relative(process.started_at),
        "quiet" if process.is_quiet else "at work",
        process.version,
    )


def running(terminal: Terminal, options: Options) -> None:
    """What runs."""
    found = list(WorkSet())
    if options["json"]:
        terminal.json([{**describe(w.record), "process": w.process.identity, "thread": w.thread} for w in found])
        return
    if not found:
        terminal.say("No job runs.")
        return
    terminal.table(("SINCE", "JID", "JOB", "QUEUE", "ARGUMENTS", "PROCESS", "THREAD"), [_work(w) for w in found])


def _work(work: Work) -> tuple[str, ...]:
    job = work.record
    name = job.display_name or "(unreadable)"
    return duration(work.elapsed), job.jid, name, work.queue, call(job, WIDE), work.process.identity, work.thread


def quiet(terminal: Terminal, options: Options) -> None:
    """No more jobs for a process."""
    chosen = _chosen(options)
    terminal.confirm(f"Have {count(len(chosen), 'process')} take no more jobs, for good?", yes=options["yes"])
    for process in chosen:
        process.quiet()
        terminal.say(f"{process.identity} was told to take no more jobs, and will hear of it at its next beat.")


def stop(terminal: Terminal, options: Options) -> None:
    """The end of a process."""
    chosen = _chosen(options)
    terminal.confirm(f"Stop {count(len(chosen), 'process')}?", yes=options["yes"])
    for process in chosen:
        process.stop()
        terminal.say(f"{process.identity} was told to stop, and will hear of it at its next beat.")


def _chosen(options: Options) -> list[Process]:
    live = list(ProcessSet())
    if options["all"] == bool(options["processes"]):
        raise CommandError("Say which processes: their identities, or how those begin, or --all")
    if not live:
        raise CommandError("No worker runs.")
    return live if options["all"] else [_one(live, text) for text in dict.fromkeys(options["processes"])]


def _one(live: Sequence[Process], text: str) -> Process:
    found = [process for process in live if process.identity.startswith(text)]
    if len(found) == 1:
        return found[0]
    which = "More than one process begins" if found else "No process begins"
    raise CommandError(f"{which} with {text!r}: {', '.join(process.identity for process in found or live)}")


def _arguments(parser: CommandParser) -> None:
    parser.add_argument("processes", nargs="*", metavar="PROCESS", help="its identity, or how it begins")
    parser.add_argument("--all", action="store_true", help="every process")
    yes_option(parser)


SUBCOMMANDS = (
    Subcommand("processes", "worker processes that live", processes, reads=True),
    Subcommand("running", "jobs that run now, the longest running first", running, reads=True),
    Subcommand("quiet", "have processes take no more jobs; what runs goes on", quiet, _arguments),
    Subcommand("stop", "end processes; unfinished jobs go back to their queues", stop, _arguments),
)
