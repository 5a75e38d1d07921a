"""`with assert_enqueued(job, ...)`: the block enqueues this, and if not, what it did enqueue and what is nearest."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Literal, Self

from kiq_django import arguments, clock
from kiq_django.exceptions import ArgumentError
from kiq_django.jobs import Job
from kiq_django.jobs.moments import epoch
from kiq_django.payload import Payload
from kiq_django.testing.waiting import enqueued

WITHIN: Final = 1.0
"""Seconds by which a time may be another than the one that is expected."""
SHOWN: Final = 20
"""Jobs that a message lists."""

When = datetime | timedelta | float | Literal["now"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a job is to be enqueued with; None is anything."""

    name: str
    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    queue: str | None
    at: When | None

    def misses(self, payload: Payload) -> list[str]:
        """In what a payload differs, each in words; none: it is as expected."""
        found = [f"job: {payload.name} instead of {self.name}"] if payload.name != self.name else []
        if self.args is not None and not _equal(list(self.args), payload.args):
            found.append(f"args: {payload.args!r} instead of {list(self.args)!r}")
        if self.kwargs is not None and not _equal(dict(self.kwargs), payload.kwargs):
            found.append(f"kwargs: {payload.kwargs!r} instead of {dict(self.kwargs)!r}")
        if self.queue not in (None, payload.queue):
            found.append(f"queue: {payload.queue!r} instead of {self.queue!r}")
        if self.at is not None and not self._is_timely(payload.at):
            found.append(f"at: {_time(payload.at)} instead of {_time(self._moment())}")
        return found

    def _moment(self) -> float | None:
        if self.at is None or self.at == "now":
            return None
        if isinstance(self.at, timedelta):
            return clock.now() + self.at.total_seconds()
        return epoch(self.at)

    def _is_timely(self, at: float | None) -> bool:
        wanted = self._moment()
        if wanted is None or at is None:
            return wanted is at
        return abs(wanted - at) <= WITHIN


class assert_enqueued:  # noqa: N801 - used like a function
    """Assert that the block enqueues this job, so and so often.

    Args:
        job: which.
        args: its arguments by position, all of them. `unittest.mock.ANY` stands for any one.
        kwargs: its arguments by name, all of them.
        queue: where it goes.
        count: exactly so many times; None is at least once. 0: it is not enqueued.
        at: when it is to run, give or take a second: a moment, a timedelta from now, or "now" for without a time.

    Raises:
        AssertionError: it did not; the text lists what it enqueued instead, and the nearest miss.
    """

    def __init__(
        self,
        job: Job[..., Any],
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
        count: int | None = None,
        at: When | None = None,
    ) -> None:
        self.found: list[Payload] = []
        """After the block: the jobs that are as expected."""
        self._expected = Expectation(name=job.name, args=args, kwargs=kwargs, queue=queue, at=at)
        self._count = count
        self._before: set[str] | None = None

    def __enter__(self) -> Self:
        self._before = {payload.jid for payload in enqueued()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._judge([payload for payload in enqueued() if payload.jid not in (self._before or ())])

    def __del__(self) -> None:
        if getattr(self, "_before", ()) is None:
            warnings.warn(
                f"assert_enqueued({self._expected.name}) has looked at nothing: say `with assert_enqueued(...):` "
                "around what is to enqueue",
                RuntimeWarning,
                stacklevel=2,
            )

    def _judge(self, new: Sequence[Payload]) -> None:
        self.found = [payload for payload in new if not self._expected.misses(payload)]
        if len(self.found) != self._count if self._count is not None else not self.found:
            raise AssertionError(self._message(new))

    def _message(self, new: Sequence[Payload]) -> str:
        often = "at least once" if self._count is None else _times(self._count)
        lines = [
            f"{self._expected.name} was to be enqueued {often}{self._conditions()}, was {_times(len(self.found))}.",
            "The block enqueued:" if new else "The block enqueued nothing.",
            *(f"  {_told(payload)}" for payload in new[:SHOWN]),
        ]
        if len(new) > SHOWN:
            lines.append(f"  and {len(new) - SHOWN} more")
        misses = [payload for payload in new if payload not in self.found]
        if misses and len(self.found) < (self._count or 1):
            lines += self._nearest(misses)
        return "\n".join(lines)

    def _conditions(self) -> str:
        """What was asked for beside the job itself."""
        parts = []
        for word in ("args", "kwargs", "queue", "at"):
            value = getattr(self._expected, word)
            if value is not None:
                parts.append(f"{word}={value!r}")
        return f" with {', '.join(parts)}" if parts else ""

    def _nearest(self, misses: Sequence[Payload]) -> list[str]:
        """The one with the fewest differences; another job is farther than any difference of the same."""
        nearest = min(misses, key=lambda p: (p.name != self._expected.name, len(self._expected.misses(p))))
        return [f"Nearest: {_told(nearest)}", *(f"  {miss}" for miss in self._expected.misses(nearest))]


def _equal(wanted: Any, stored: Any) -> bool:
    """Whether an argument is what was stored, be it as it is given or as it travels; `ANY` equals everything."""
    if wanted == stored:
        return True
    if isinstance(wanted, list | tuple) and isinstance(stored, list):
        return len(wanted) == len(stored) and all(map(_equal, wanted, stored))
    if isinstance(wanted, dict) and isinstance(stored, dict) and wanted.keys() == stored.keys():
        return all(_equal(value, stored[key]) for key, value in wanted.items())
    return bool(_travelled(wanted) == [stored])


def _travelled(value: Any) -> Any:
    try:
        return arguments.dump([value], {})[0]
    except ArgumentError:
        return None


def _told(payload: Payload) -> str:
    parts = [*map(repr, payload.args), *(f"{name}={value!r}" for name, value in payload.kwargs.items())]
    later = f" at {_time(payload.at)}" if payload.at is not None else ""
    return f"{payload.name}({', '.join(parts)}) on {payload.queue}{later}"


def _time(at: float | None) -> str:
    if at is None:
        return "without a time"
    ahead = at - clock.now()
    return f"{datetime.fromtimestamp(at).isoformat(' ', 'seconds')} ({ahead:+.0f} s)"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
