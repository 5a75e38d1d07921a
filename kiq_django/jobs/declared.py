"""A declared job: call it, or hand the call to a worker."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, Self, TypeVar

from asgiref.sync import sync_to_async

from kiq_django import arguments, callbacks, client, clock, conf, execution, plugins, registry
from kiq_django.bulk import Slice, slices
from kiq_django.client import Handle, JobIds
from kiq_django.exceptions import Discard
from kiq_django.jids import JidRange, new_jid
from kiq_django.jobs import moments
from kiq_django.jobs.moments import Delay, Moment
from kiq_django.jobs.plan import (
    OWN_OPTIONS,
    STAY_HERE,
    Call,
    CallShape,
    Plan,
    build_options,
    hooks_of,
    partition_key,
    refuse_unknown_parameter,
)
from kiq_django.payload import RESULT, Payload

P = ParamSpec("P")
R = TypeVar("R")
Item = Sequence[Any] | Mapping[str, Any]
"""Arguments of one job: a tuple or list by position, a dict by name."""


class Job(Generic[P, R]):
    """A declared job. Calling it calls the function; `enqueue` and its kin hand the call to a worker."""

    definition: registry.Definition
    """What the worker knows of it."""

    def __init__(self, target: Callable[..., Any], name: str | None, given: Mapping[str, Any]) -> None:
        self._given = given
        self._at: float | None = None
        self._expires_at: float | None = None
        self._plan: Plan | None = None
        options = build_options({**hooks_of(target), **given})
        self.definition = registry.describe(target, options, name, sender=self)
        refuse_unknown_parameter(self.definition)
        self._shape = CallShape(self.definition)
        self._hooked = target if isinstance(target, type) and callbacks.has(target, "enqueue") else None
        update_wrapper(self, target, updated=())
        registry.register(self.definition)

    def __repr__(self) -> str:
        return f"<Job {self.name}>"

    @property
    def name(self) -> str:
        """What payloads call it."""
        return self.definition.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself: no queue, no middleware, no context."""
        return self.definition.call(args, kwargs)  # type: ignore[no-any-return]

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """Have it run by a worker, once the open transactions have committed.

        Raises:
            TypeError: the function cannot be called so.
            ArgumentError: an argument cannot travel.
            PayloadError: the arguments are too large.
            StoreError: Redis did not take it; comes out of `with atomic()` where the commit was waited for.
        """
        return self._push(args, kwargs, self._at)

    delay = enqueue
    perform_async = enqueue

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """`enqueue` from async code. It waits for the commit as `enqueue` does, where a transaction is open."""
        if self._hooked is not None:  # its callbacks are plain methods, which may ask the database
            return await sync_to_async(self.enqueue, thread_sensitive=True)(*args, **kwargs)
        plan = self._planned()
        payload = self._payload(plan, args, kwargs, clock.now(), self._at)
        return await client.apush(payload, on_commit=plan.on_commit, care=plan.care)

    def enqueue_in(self, delay: Delay, /, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """`enqueue` for later: after a timedelta, or seconds."""
        return self._push(args, kwargs, clock.now() + moments.seconds(delay))

    def enqueue_at(self, when: Moment, /, *args: P.args, **kwargs: P.kwargs) -> Handle:
        """`enqueue` for a datetime, or epoch seconds. A time that is not ahead means now."""
        return self._push(args, kwargs, moments.epoch(when))

    def enqueue_all(
        self,
        items: Iterable[Item],
        *,
        at: Moment | Sequence[Moment] | None = None,
        spread: Delay | None = None,
    ) -> JobIds:
        """Enqueue many, a thousand a round trip. A lazy iterable is read as it goes, so memory stays flat.

        Inside a transaction all are held in memory until the commit, unless `using(on_commit=False)`.

        Args:
            items: the arguments of each job, a tuple or list by position or a dict by name.
            at: one time for all, or a list of as many times as items.
            spread: give each a random time within this time from now, at least 5 seconds.

        Returns:
            Their ids, in order; None where a client link vetoed.

        Raises:
            ValueError: `at` and `spread` both, or another number of times than items.
            TypeError, ArgumentError, PayloadError: an item is not usable. What stands in slices before it is pushed.
        """
        plan, now, ids = self._planned(), clock.now(), JidRange()
        default = self._at if spread is None else None
        timed = moments.each_its_time(items, default if at is None else at, spread, now=now)
        calls = (self._call(plan, *_arguments(item), time) for item, time in timed)
        parts = (Slice(part, ids.take_many(len(part)), partial(plan.payload, now=now)) for part in slices(calls))
        return client.push_many(parts, ids, on_commit=plan.on_commit, care=plan.care)

    def perform_now(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it here and return its result, as a worker would: arguments through JSON, server middleware.

        Raises:
            BaseException: what the job raises.
        """
        payload = self._payload(self._planned(), args, kwargs, clock.now())
        read = Payload.decode(payload.encode())
        outcome = execution.run(read, read.queue, housekeeping=False, direct=True)
        if outcome.error is not None:
            raise outcome.error
        return outcome.result  # type: ignore[no-any-return]

    def using(self, *, at: Moment | None = None, expires_at: Moment | None = None, **options: Any) -> Self:
        """A copy whose calls have other options: queue, retry, on_commit, tags, ... and `at`, and `expires_at`.

        Args:
            at: when the job shall run.
            expires_at: when it is too late to begin it; `expires_in` is the same in seconds from when it is to run.
            options: those of `@job`.

        Raises:
            TypeError: an option is unknown, or says how the worker runs the job and belongs to the
            declaration. ConfigurationError: an option is not usable.
        """
        known = [*(OWN_OPTIONS - STAY_HERE), *plugins.options(), "at", "expires_at"]
        for option in options:
            if option not in known:
                raise TypeError(f"using() has no option {option!r}. {conf.did_you_mean(option, known)}")
        changed = copy(self)
        changed._given = {**self._given, **options}
        changed._at = self._at if at is None else moments.epoch(at)
        if expires_at is not None:
            changed._expires_at = moments.epoch(expires_at)
        elif "expires_in" in options:
            changed._expires_at = None
        changed._plan = None
        build_options(changed._given)
        return changed

    def handle(self, jid: str) -> Handle:
        """For a job that was enqueued before, perhaps by another process: to ask for its result by its id."""
        return Handle(jid, self.name, keeps=self._planned().fields.get(RESULT, 0))

    def _planned(self) -> Plan:
        settings = conf.get()
        if self._plan is None or self._plan.settings is not settings:
            self._plan = Plan(self.name, self._given, settings, self._expires_at)
        return self._plan

    def _push(self, args: Sequence[Any], kwargs: Mapping[str, Any], at: float | None) -> Handle:
        plan = self._planned()
        payload = self._payload(plan, args, kwargs, clock.now(), at)
        if self._hooked is None:
            return client.push(payload, on_commit=plan.on_commit, care=plan.care)
        handle = Handle(payload.jid, self.name, vetoed=True)
        with suppress(Discard), callbacks.enqueueing(self._hooked, args, kwargs):
            handle = client.push(payload, on_commit=plan.on_commit, care=plan.care)
            _refuse_vetoed(handle)
        return handle

    def _payload(
        self,
        plan: Plan,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        now: float,
        at: float | None = None,
    ) -> Payload:
        return plan.payload(self._call(plan, args, kwargs, at), new_jid(now), now)

    def _call(self, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any], at: float | None) -> list[Any] | Call:
        """A call that can travel: of a plain one its arguments say all."""
        self._shape.check(args, kwargs)
        ready, named, rich = arguments.dump(args, kwargs, self._shape.names)
        if plan.are_plain and at is None and not named and not rich:
            return ready
        by = plan.partition_by
        key = None if by is None else partition_key(self.definition, by, args, kwargs)
        return Call(ready, named, rich, at, key)


class AsyncJob(Job[P, R]):
    """The job of an `async def`. Calling it gives the coroutine; everything else is the same."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:  # type: ignore[override]
        """Call the coroutine function itself."""
        return self.definition.call(args, kwargs)  # type: ignore[no-any-return]


def _refuse_vetoed(handle: Handle) -> None:
    """A job that a client link vetoed is not enqueued, so that `after_enqueue` has nothing to tell of."""
    if not handle:
        raise Discard


def _arguments(item: Item) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if isinstance(item, (tuple, list)):
        return item, {}
    if isinstance(item, Mapping):
        return (), item
    raise TypeError(
        f"enqueue_all() takes the arguments of each job as a tuple or a dict, not {item!r}; "
        "for jobs of one argument pass [(1,), (2,)]"
    )
