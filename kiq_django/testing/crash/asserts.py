"""The two questions: is a second run harmless, and does the job survive a crash anywhere?"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kiq_django.jobs import Job
from kiq_django.testing.crash import rows
from kiq_django.testing.crash.compare import Ignored, Noise, Result, differences, noise
from kiq_django.testing.crash.points import KINDS, Kind, Point, Watch
from kiq_django.testing.crash.scenario import Stage

__all__ = ["assert_idempotent", "assert_survives_crash"]


def assert_idempotent(
    job: Job[..., Any], *args: Any, kwargs: Mapping[str, Any] | None = None, ignore: Collection[str] = ()
) -> None:
    """Run a job twice: the second run must add nothing. Afterwards all is as it was before.

    Compared are the rows of all models in every database that the test may use (fields with `auto_now` left out),
    mails, jobs that it enqueues, what it wrote to caches, HTTP requests that are not safe to repeat (POST and PATCH
    without an `Idempotency-Key` of its own), and what fakes tell by `effect`.

    Args:
        job: which.
        args: its arguments by position.
        kwargs: its arguments by name.
        ignore: what may differ: `shop.Order`, `shop.Order.seen_at`, or a kind of effect, such as `mail`.

    Raises:
        AssertionError: the second run did something; the text names each row, mail, job, key and request.
        BaseException: what the first run raised. The second may be discarded.
        ValueError: `ignore` names nothing.
    """
    ignored = Ignored.of(ignore)
    watch = Watch()
    with Stage(job, args, kwargs or {}).scene(watch, frozen=False) as scene:
        _succeed(scene.run())
        once = scene.result()
        error = scene.run_again()
        twice = scene.result()
    found = differences(once, twice, ignored)
    if error is not None:
        found.insert(0, f"the second run raised {error!r}")
    if found:
        raise AssertionError(
            "\n".join([f"{job.name} is not idempotent. Its second run made of it:", *_indented(found)])
        )


def assert_survives_crash(
    job: Job[..., Any],
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    ignore: Collection[str] = (),
    kinds: Collection[Kind] = KINDS,
    limit: int = 100,
) -> None:
    """Kill a job after each thing it does that lasts, run it again, and compare with a run that nobody disturbed.

    The points are: each commit (each statement that writes outside of a transaction), HTTP request, write to a cache,
    mail, job that it enqueues, and whatever fakes tell by `effect`. Afterwards all is as it was before.

    What differs between two undisturbed runs already, such as random tokens, is not compared; time stands still.

    Args:
        job: which.
        args: its arguments by position.
        kwargs: its arguments by name.
        ignore: what may differ: `shop.Order`, `shop.Order.seen_at`, or a kind of effect, such as `mail`.
        kinds: at which kinds of points to kill.
        limit: points at most; of more, so many are taken, evenly.

    Raises:
        AssertionError: the job does not recover at one point or more; the text names the first by file and line, what
            is then wrong, and the others.
        BaseException: what the job raised when nobody disturbed it.
        ValueError: `ignore` or `kinds` name nothing.
    """
    ignored = Ignored.of(ignore)
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"kinds: {', '.join(sorted(unknown))} is none of {', '.join(KINDS)}")
    play = _Play(Stage(job, args, kwargs or {}), ignored, kinds)
    unsafe = [found for number in play.numbers(limit) if (found := play.killed_at(number))]
    if unsafe:
        raise AssertionError(_report(job.name, unsafe, len(play.points)))


@dataclass(frozen=True, slots=True)
class _Unsafe:
    """A point at which a crash does harm."""

    point: Point
    harm: Sequence[str]


class _Play:
    """What should come of a job, and what comes of it when it is killed."""

    def __init__(self, stage: Stage, ignored: Ignored, kinds: Collection[Kind]) -> None:
        self._stage = stage
        self._ignored = ignored
        self._kinds = kinds
        self._wanted, self.points = self._undisturbed()
        again, _ = self._undisturbed()
        self._noise: Noise = noise(self._wanted, again)

    def numbers(self, limit: int) -> list[int]:
        """The points to try, counted from 1."""
        count = len(self.points)
        if count <= limit:
            return list(range(1, count + 1))
        return sorted({1 + index * count // limit for index in range(limit)})

    def killed_at(self, number: int) -> _Unsafe | None:
        """Kill the job there, and let it recover. None when no harm comes of it."""
        watch = Watch(self._kinds)
        with self._stage.scene(watch, frozen=True) as scene:
            scene.run(number)
            point = watch.points[-1] if watch.is_dead else self.points[number - 1]
            error = scene.run_again()
            found = self._compared(scene.result())
        harm = differences(self._wanted, found, self._ignored, self._noise)
        if error is not None:
            harm.insert(0, f"the run after it raised {error!r}")
        return _Unsafe(point, harm) if harm else None

    def _undisturbed(self) -> tuple[Result, list[Point]]:
        watch = Watch(self._kinds)
        with self._stage.scene(watch, frozen=True) as scene:
            _succeed(scene.run())
            return self._compared(scene.result()), watch.points

    def _compared(self, result: Result) -> Result:
        return Result(rows.numbered(result.state, self._stage.start), result.effects, result.cache)


def _succeed(error: BaseException | None) -> None:
    if error is not None:
        raise error


def _report(name: str, unsafe: Sequence[_Unsafe], tried: int) -> str:
    first, *others = unsafe
    lines = [
        f"{name} does not survive a crash at {len(unsafe)} of {tried} points.",
        f"Killed right after {first.point}, and run again:",
        *_indented(first.harm),
    ]
    if others:
        lines += ["It is not safe there either:", *_indented([f"after {each.point}" for each in others])]
    return "\n".join(lines)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
