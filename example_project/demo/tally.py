"""Counts what became of the jobs, from the book of runs in the database and from Redis."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from example_project.demo.batches import Batch, retries_of
from example_project.desk import engine
from example_project.desk.book import percentile
from example_project.desk.kinds import End
from example_project.desk.models import Run


@dataclass(frozen=True, slots=True)
class Tally:
    """One line of the table."""

    title: str
    enqueued: int
    succeeded: int
    retried: int
    discarded: int
    dead: int
    again: int = 0
    """Runs that succeeded although an earlier run of the same job had."""
    p50: float = 0.0
    """Seconds."""
    p95: float = 0.0


def count(batch: Batch) -> Tally:
    """Count what became of a batch."""
    runs = list(Run.objects.filter(jid__in=batch.started))
    places = engine.places()
    done = Counter(run.jid for run in runs if run.outcome == Run.Outcome.DONE)
    seconds = [run.seconds for run in runs if run.outcome == Run.Outcome.DONE] or [run.seconds for run in runs]
    return Tally(
        title=batch.kind.title,
        enqueued=len({run.jid for run in runs} | (places.keys() & batch.started.keys())),
        succeeded=len(done),
        retried=_retries(runs),
        discarded=len({run.jid for run in runs if run.outcome == Run.Outcome.DISCARDED}),
        dead=sum(1 for jid in batch.started if places.get(jid) == engine.DEAD),
        again=done.total() - len(done),
        p50=percentile(seconds, 0.5),
        p95=percentile(seconds, 0.95),
    )


def must_be(batch: Batch, seed: int) -> Tally:
    """Say what the count of a batch must come to when no worker is killed."""
    jobs = {end: len(batch.started) if batch.kind.end is end else 0 for end in End}
    return Tally(
        title=batch.kind.title,
        enqueued=len(batch.started) - jobs[End.NEVER],
        succeeded=jobs[End.DONE],
        retried=retries_of(batch, seed),
        discarded=jobs[End.DISCARDED],
        dead=jobs[End.DEAD],
    )


def unsettled(batches: Iterable[Batch]) -> set[str]:
    """Return the ids of jobs that have not come to their end, or have and are still to be found in Redis."""
    wanted = {jid for batch in batches for jid in batch.started if batch.kind.end is not End.NEVER}
    places = engine.places()
    dead = {jid for jid, place in places.items() if place == engine.DEAD}
    return (wanted - dead - _ended(wanted)) | (wanted & (places.keys() - dead))


def _ended(wanted: Collection[str]) -> set[str]:
    runs = Run.objects.filter(jid__in=wanted).exclude(outcome=Run.Outcome.FAILED)
    return set(runs.values_list("jid", flat=True))


def _retries(runs: Iterable[Run]) -> int:
    """Add up how often each job was tried again, which its payload counts: runs after a kill are none."""
    most: Counter[str] = Counter()
    for run in runs:
        most[run.jid] = max(most[run.jid], run.retries)
    return most.total()
