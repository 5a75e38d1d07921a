"""One job, run, killed and run again from one and the same start."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core import mail

from kiq_django import adapters, clock, execution
from kiq_django.adapters.base import failure_of
from kiq_django.adapters.test import TestAdapter
from kiq_django.execution import Outcome
from kiq_django.jobs import Job
from kiq_django.payload import Payload
from kiq_django.testing.crash import hooks, rows, sql
from kiq_django.testing.crash.caching import CacheWatch
from kiq_django.testing.crash.compare import Result
from kiq_django.testing.crash.points import Watch
from kiq_django.testing.modes import chosen
from kiq_django.testing.travel import travel


class Stage:
    """Where scenarios of one job are played. Each leaves everything as it was."""

    def __init__(self, job: Job[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._aliases = sql.usable()
        self._now = clock.now()
        with _own_adapter() as adapter:
            job.using(on_commit=False, at=None).enqueue(*args, **kwargs)
            (payload,) = adapter.enqueued()
        self._payload = payload
        self.start = rows.read(self._aliases)
        """The rows before the job."""

    @contextmanager
    def scene(self, watch: Watch, *, frozen: bool) -> Iterator["Scene"]:
        """Play one scenario.

        Args:
            watch: is told of what happens.
            frozen: time stands still, so that two scenarios write the same times.
        """
        cached = CacheWatch()
        outbox = len(getattr(mail, "outbox", ()))
        with ExitStack() as stack:
            stack.enter_context(sql.rolled_back(self._aliases))
            stack.enter_context(_own_adapter())
            stack.callback(cached.restore)
            if frozen:
                stack.enter_context(travel(self._now, freeze=True))
            yield Scene(self._payload, self._aliases, watch, cached)
        del getattr(mail, "outbox", [])[outbox:]


class Scene:
    """A scenario that goes on."""

    def __init__(self, payload: Payload, aliases: Sequence[str], watch: Watch, cached: CacheWatch) -> None:
        self._payload = payload
        self._aliases = aliases
        self._watch = watch
        self._cached = cached

    def run(self, kill_at: int = 0) -> BaseException | None:
        """Run the job as a worker would, from the same bytes each time.

        Args:
            kill_at: the point at which the process ends, counted from 1; 0 is none.

        Returns:
            What the job raised; None also of a run that was killed.
        """
        outcome = self._play(kill_at)
        return None if self._watch.is_dead else outcome.error

    def run_again(self) -> BaseException | None:
        """The same for a run after another, which may well be discarded: somebody was there before."""
        return failure_of(self._play())

    def result(self) -> Result:
        """What stays so far."""
        return Result(rows.read(self._aliases), list(self._watch.effects), self._cached.values())

    def _play(self, kill_at: int = 0) -> Outcome:
        self._watch.begin(kill_at)
        read = Payload.decode(self._payload.encode())
        with (
            hooks.installed(self._watch, self._aliases, self._cached),
            sql.process(self._watch, self._aliases),
        ):
            return execution.run(read, read.queue, housekeeping=False)


@contextmanager
def _own_adapter() -> Iterator[TestAdapter]:
    """The test adapter, empty; what waited in it before waits again afterwards."""
    found = adapters.get()
    if not isinstance(found, TestAdapter):
        with chosen("test") as made:
            if not isinstance(made, TestAdapter):
                raise TypeError(f"the test adapter is {made!r}")
            yield made
        return
    waiting = found.swap([])
    try:
        yield found
    finally:
        found.swap(waiting)
