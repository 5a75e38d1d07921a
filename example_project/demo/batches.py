"""What was started, and what must come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from example_project.demo import service
from example_project.desk import jobs
from example_project.desk.kinds import KINDS, Kind
from example_project.desk.models import ImportChunk, Order

LATER = ("reports",)
"""Kinds that add up what the others bring."""
CHUNKS = Kind("chunks", "Import, rows", "", "", dict, jobs.import_chunk)


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one kind. `started` says what each is about, by its id."""

    kind: Kind
    started: Mapping[str, Any]

    @property
    def subjects(self) -> list[Any]:
        return list(self.started.values())


def start(*slugs: str) -> list[Batch]:
    """Start these kinds of work."""
    return [Batch(KINDS[slug], KINDS[slug].start()) for slug in slugs]


def start_all_but_the_last() -> list[Batch]:
    """Start every kind of work except those that come later."""
    return start(*(slug for slug in KINDS if slug not in LATER))


def chunks_of(batch: Batch) -> Batch:
    """Return the jobs that a batch of imports has started in its turn."""
    return Batch(CHUNKS, dict(ImportChunk.objects.filter(source__in=batch.subjects).values_list("jid", "pk")))


def retries_of(batch: Batch, seed: int) -> int:
    """Tell how often the jobs of a batch must be tried again."""
    rule = RETRIES.get(batch.kind.slug)
    return sum(rule(subject, seed) for subject in batch.subjects) if rule else 0


def _courier(order: int, seed: int) -> int:
    return service.failures_before_success(seed, Order.objects.get(pk=order).number)


def _labels(_order: int, _seed: int) -> int:
    return jobs.LABEL_ATTEMPTS - 1


RETRIES: Mapping[str, Callable[[int, int], int]] = {"courier": _courier, "labels": _labels}
