"""For tests, with `KIQ = {"ADAPTER": "test"}`: what was enqueued, and running it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from kiq_django import adapters, arguments, conf
from kiq_django.exceptions import ConfigurationError
from kiq_django.execution import Outcome
from kiq_django.jobs import Job
from kiq_django.jobs.moments import epoch
from kiq_django.payload import Payload

__all__ = ["assert_enqueued", "clear", "drain", "enqueued"]


def enqueued(job: Job[..., Any] | None = None, *, queue: str | None = None) -> list[Payload]:
    """What waits, in the order of enqueueing; only of this job, or queue. Scheduled jobs have `at`."""
    return [
        payload
        for payload in _adapter().enqueued()
        if (job is None or payload.name == job.name) and queue in (None, payload.queue)
    ]


def drain(*, queue: str | None = None, until: datetime | float | None = None) -> list[Outcome]:
    """Run what waits, and what that enqueues, through server middleware; `until` runs scheduled jobs up to
    then.

    Raises:
        BaseException: what the first failing job raised; the others go on waiting.
    """
    return cast("list[Outcome]", _adapter().drain(queue=queue, until=None if until is None else epoch(until)))


def clear() -> None:
    """Forget what waits."""
    _adapter().clear()


@contextmanager
def assert_enqueued(
    job: Job[..., Any],
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    queue: str | None = None,
    count: int | None = None,
) -> Iterator[None]:
    """Assert that the block enqueues this job, so (`args`, `kwargs`, `queue`) and so often (default: at least
    once).

    Raises:
        AssertionError: it did not; the text lists what it enqueued instead.
    """
    before = {payload.jid for payload in enqueued()}
    yield
    new = [payload for payload in enqueued() if payload.jid not in before]
    wanted_args, wanted_kwargs, _ = arguments.dump(args or (), kwargs or {})
    found = [
        payload
        for payload in new
        if payload.name == job.name
        and (args is None or payload.args == wanted_args)
        and (kwargs is None or payload.kwargs == wanted_kwargs)
        and queue in (None, payload.queue)
    ]
    if len(found) != count if count is not None else not found:
        listed = "\n".join(f"  {p.name} {p.args} {p.kwargs} on {p.queue}" for p in new) or "  nothing"
        often = "at least once" if count is None else f"{count} times"
        raise AssertionError(
            f"{job.name} was to be enqueued {often} with these arguments, was {len(found)} times. "
            f"The block enqueued:\n{listed}"
        )


def _adapter() -> Any:
    adapter = adapters.get()
    if not hasattr(adapter, "drain"):
        raise ConfigurationError(
            f"KIQ['ADAPTER'] is {conf.get().adapter!r}, which keeps nothing for tests. "
            "Set KIQ = {'ADAPTER': 'test'} in the settings of your tests"
        )
    return adapter
