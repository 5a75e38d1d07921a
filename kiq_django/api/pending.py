"""Is this release safe for what is waiting? Every waiting job is held against the code that is loaded here."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from kiq_django import activejob, binding, fitting, routing
from kiq_django import store as stores
from kiq_django.api.budget import Budget
from kiq_django.api.filters import EVERYTHING
from kiq_django.api.records import JobRecord
from kiq_django.api.search import DOWN, UP, Found, queue_region, set_region, walk
from kiq_django.api.waiting import QueuedJob, SortedJob
from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.registry import Definition
from kiq_django.store import Store


@dataclass(slots=True)
class Group:
    """Waiting jobs of one name of which the same is to be said."""

    name: str
    trouble: str
    """What the code has against them; empty when they can run."""
    count: int = 0
    places: dict[str, int] = field(default_factory=dict)
    """How many in `queue default`, `schedule`, `retry`."""
    example: str = ""
    """The id of one of them."""
    runs_as: str = ""
    """The job's name today, when this is one of its aliases."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What was found."""

    groups: list[Group]
    """Those in trouble first, then by number."""
    looked_at: int
    total: int

    @property
    def complete(self) -> bool:
        """Every job was looked at; those that came meanwhile may be missing."""
        return self.looked_at >= self.total

    @property
    def is_safe(self) -> bool:
        """Nothing speaks against it among the jobs that were looked at."""
        return not any(group.trouble for group in self.groups)


def check_pending(seconds: float = 30, jobs: int = 1_000_000, store: Store | None = None) -> Pending:
    """Look through all queues, the schedule and the retries, the next to run first.

    Args:
        seconds: how long at most; each place gets its share, so that a long queue hides no other.
        jobs: how many at most.
    """
    store = store or stores.get()
    groups: dict[tuple[str, str], Group] = {}
    whole, looked_at, total = Budget(seconds, jobs), 0, 0
    places = [*(f"queue {name}" for name in store.queues.names()), "schedule", "retry"]
    for number, place in enumerate(places):
        left = whole.part(whole.jobs // (len(places) - number))
        share = Budget(left.seconds / (len(places) - number), left.jobs)
        seen, size = _look_through(store, place, share, groups)
        whole.count(seen)
        looked_at, total = looked_at + seen, total + max(seen, size)
    ordered = sorted(groups.values(), key=lambda group: (not group.trouble, -group.count, group.name))
    return Pending(ordered, looked_at, total)


def trouble_of(payload: Payload) -> str:
    """What the loaded code has against a job; empty when it can run."""
    definition = routing.find(payload)
    if definition is None:
        text = str(routing.unknown(payload))
        return f"{text[0].lower()}{text[1:]}"
    if activejob.job_class(payload.name, payload.args):
        return _trouble_of_rails(payload, definition)
    if trouble := binding.binding_trouble(definition.signature, payload.args, payload.kwargs):
        return trouble
    return fitting.misfits(_annotated(definition), definition.signature, payload.args, payload.kwargs)


def _trouble_of_rails(payload: Payload, definition: Definition) -> str:
    """Inside of ActiveJob's wrapper types are Ruby's."""
    try:
        args, kwargs = activejob.call(payload.args[0])
    except MalformedPayload as error:
        return str(error)
    return binding.binding_trouble(definition.signature, args, kwargs)


def _annotated(definition: Definition) -> object:
    return getattr(definition.target, "perform", definition.target) if definition.is_class else definition.target


def _look_through(store: Store, place: str, budget: Budget, groups: dict[tuple[str, str], Group]) -> tuple[int, int]:
    """Returns how many jobs were seen, and how many there are."""
    seen = size = 0
    for found in _walk(store, place, budget):
        seen, size = seen + found.looked_at, found.total
        for job in found.jobs:
            _count(groups, job, place)
    return seen, size


def _walk(store: Store, place: str, budget: Budget) -> Iterator[Found[QueuedJob]] | Iterator[Found[SortedJob]]:
    kind, _, queue = place.partition(" ")
    if kind == "queue":
        return walk(queue_region(store, queue), EVERYTHING, DOWN, budget)
    return walk(set_region(store, "schedule" if kind == "schedule" else "retry"), EVERYTHING, UP, budget)


def _count(groups: dict[tuple[str, str], Group], job: JobRecord, place: str) -> None:
    payload = job.payload
    name = payload.display_name if payload else "(unreadable)"
    trouble = trouble_of(payload) if payload else "cannot be read, by any release"
    group = groups.setdefault((name, trouble), Group(name, trouble, example=job.jid))
    definition = routing.find(payload) if payload else None
    if definition is not None and payload is not None and definition.name not in (payload.name, name):
        group.runs_as = definition.name
    group.count += 1
    group.places[place] = group.places.get(place, 0) + 1
