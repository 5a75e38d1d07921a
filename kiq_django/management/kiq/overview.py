"""`kiq stats`, `kiq metrics`, `kiq jobs`: the whole."""

from dataclasses import asdict

from django.core.management.base import CommandParser

from kiq_django.api import History, Metrics, Stats
from kiq_django.api.metrics import JobFigures
from kiq_django.declared import DeclaredJob, declared_jobs
from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal, duration
from kiq_django.retry import DEFAULT_MAX


def stats(terminal: Terminal, options: Options) -> None:
    """Totals, sizes, and, when asked, the last days."""
    found = Stats()
    days = History(options["days"]) if options["days"] else []
    figures = {
        "processed": found.processed,
        "failed": found.failed,
        "enqueued": found.enqueued,
        "scheduled": found.scheduled_size,
        "retries": found.retry_size,
        "dead": found.dead_size,
        "processes": found.processes_size,
        "running": found.workers_size,
    }
    if options["json"]:
        latency = {"default_queue_latency": found.default_queue_latency}
        history = [{"date": str(d.date), "processed": d.processed, "failed": d.failed} for d in days]
        terminal.json({**figures, **latency, "queues": found.queues, "history": history})
        return
    terminal.table(("", ""), list(figures.items()))
    if days:
        terminal.say()
        terminal.table(("DAY (UTC)", "PROCESSED", "FAILED"), [(str(d.date), d.processed, d.failed) for d in days])


def _stats_arguments(parser: CommandParser) -> None:
    parser.add_argument("--days", type=int, default=0, metavar="N", help="show the last N days too, at most 1825")


def metrics(terminal: Terminal, options: Options) -> None:
    """Which jobs take the time."""
    jobs = Metrics().top_jobs(options["minutes"])
    if options["json"]:
        terminal.json([_figures(job) for job in jobs])
        return
    if not jobs:
        terminal.say(f"No job ran in the last {duration(60 * options['minutes'])}.")
        return
    headers = ("JOB", "RUNS", "FAILED", "TOTAL MS", "P50 MS", "P95 MS", "P99 MS", "WAIT P95 MS")
    terminal.table(headers, [_row(job) for job in jobs])


def _metrics_arguments(parser: CommandParser) -> None:
    parser.add_argument("--minutes", type=int, default=60, metavar="N", help="how far back, at most 4320")


def _figures(job: JobFigures) -> dict[str, object]:
    times = {f"run_p{q}_ms": job.run_time(q / 100) for q in (50, 95, 99)}
    waits = {f"wait_p{q}_ms": job.queue_wait(q / 100) for q in (50, 95, 99)}
    return {"job": job.name, "runs": job.runs, "failures": job.failures, "total_ms": job.total_ms, **times, **waits}


def _row(job: JobFigures) -> tuple[str | int, ...]:
    percentiles = (*(job.run_time(q) for q in (0.5, 0.95, 0.99)), job.queue_wait(0.95))
    shown = ("-" if value is None else round(value) for value in percentiles)
    return (job.name, job.runs, job.failures, job.total_ms, *shown)


def jobs(terminal: Terminal, options: Options) -> None:
    """What the project declares."""
    declared = declared_jobs()
    if options["json"]:
        terminal.json([asdict(job) for job in declared])
        return
    if not declared:
        terminal.say("No job is declared: put @job on a function in the jobs.py of an installed app.")
        return
    rows = [(job.name, job.queue, _retry(job), "async" if job.is_async else "sync", job.source) for job in declared]
    terminal.table(("JOB", "QUEUE", "RETRY", "KIND", "SOURCE"), rows)


def _retry(job: DeclaredJob) -> str:
    if job.retry_for is not None:
        return f"for {duration(job.retry_for)}"
    if job.retry is True:
        return str(DEFAULT_MAX)
    return "no" if job.retry is False else str(job.retry)


SUBCOMMANDS = (
    Subcommand("stats", "totals and sizes", stats, _stats_arguments, reads=True),
    Subcommand("metrics", "the jobs that took most time, with percentiles", metrics, _metrics_arguments, reads=True),
    Subcommand("jobs", "the jobs that the project declares", jobs, reads=True),
)
