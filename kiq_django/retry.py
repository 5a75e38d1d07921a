"""What becomes of a job that failed.

Pure: time and chance are arguments. Total: no error of a user's hook, no odd payload and no exception that
cannot even be printed makes it raise, because a job without a decision is lost.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from kiq_django.exceptions import Discard, Expired, Kill, MalformedPayload
from kiq_django.failure import ask, recorded
from kiq_django.options import LONGEST, JobOptions, RetryOn
from kiq_django.payload import Payload

DEFAULT_MAX: Final = 25
LARGEST_COUNT: Final = 2**31 - 1

Verdict = Literal["retry", "bury", "drop", "discard"]
Chance = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Decision:
    """The end of one failed run."""

    verdict: Verdict
    """retry: again after `delay`. bury: to the dead set. drop: no more retries, and no dead set wanted.
    discard: ended on purpose, no dead set. Death handlers run for all but the first."""
    delay: float
    """Seconds until the retry; 0.0 for the other verdicts."""
    payload: Payload
    """The job with its error fields: what is stored, and what death handlers get."""
    reason: str
    """One line for people."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What every rule looks at."""

    payload: Payload
    error: BaseException
    options: JobOptions
    count: int
    now: float
    chance: Chance
    default_max: int


def delay(count: int, chance: Chance) -> float:
    """Seconds until retry number `count` (0 is the first): Sidekiq's growing delay, with its jitter.

    From retry 177 on it stays at 1,000,000,000 seconds: no page can show a later date.
    """
    return float(min(count**4 + 15, LONGEST)) + _jitter(count, chance)


def _jitter(count: int, chance: Chance) -> float:
    return float(int(chance() * 10 * (count + 1)))


def decide(
    payload: Payload,
    error: BaseException,
    options: JobOptions,
    *,
    queue: str,
    now: float,
    chance: Chance,
    default_max: int = DEFAULT_MAX,
    roots: Sequence[str] = (),
) -> Decision:
    """Decide about a failed run.

    Fields of the payload win over `options`: what was said when the job was enqueued counts. `retry_in` and
    `retries_exhausted` are called from here.

    Args:
        payload: the job as it was fetched.
        error: what it raised.
        options: what its declaration says; `JobOptions()` for an unknown job.
        queue: the queue that it was fetched from.
        now: epoch seconds.
        chance: gives numbers from 0.0 up to, not including, 1.0.
        default_max: retries of a job that says `retry: true`.
        roots: folders of the project, as `backtrace.frame_of` wants them.
    """
    payload = _stored(payload)
    rule = _rule_for(error, options)
    count = _next_count(payload)
    retry_queue = (rule and rule.queue) or _text(payload, "retry_queue") or options.retry_queue or queue
    limit = _backtrace_limit(payload, options)
    failed = recorded(payload, error, count=count, queue=retry_queue, now=now, lines=limit, roots=roots)
    failure = _Failure(failed, error, options, count, now, chance, default_max)
    if reason := _discard_reason(error, options):
        return _discard(failure, reason)
    if _is_one_of(error, (Kill,)):
        return _give_up(failure, "the job raised Kill")
    return _by_rule(failure, rule) if rule else _by_count(failure)


def _stored(payload: Payload) -> Payload:
    """The payload without what the job did to its own arguments."""
    try:
        return payload.original()
    except MalformedPayload:
        return payload


def _next_count(payload: Payload) -> int:
    previous = payload.retry_count
    return 0 if previous is None else min(max(previous + 1, 0), LARGEST_COUNT)


def _backtrace_limit(payload: Payload, options: JobOptions) -> bool | int:
    value = payload.document.get("backtrace")
    return value if isinstance(value, int) else options.backtrace


def _text(payload: Payload, name: str) -> str | None:
    value = payload.document.get(name)
    return value if isinstance(value, str) else None


# --- the rules ---


def _rule_for(error: BaseException, options: JobOptions) -> RetryOn | None:
    return next((rule for rule in options.retry_on if _is_one_of(error, rule.exceptions)), None)


def _is_one_of(error: BaseException, classes: tuple[type[BaseException], ...]) -> bool:
    return ask("", isinstance, error, classes)[0] is True


def _discard_reason(error: BaseException, options: JobOptions) -> str:
    if _is_one_of(error, (Expired,)):
        return "it had expired"
    if _is_one_of(error, (Discard,)):
        return "the job raised Discard"
    return "discard_on names the error" if _is_one_of(error, options.discard_on) else ""


def _by_rule(failure: _Failure, rule: RetryOn) -> Decision:
    runs = failure.count + 1
    if runs >= rule.attempts:
        return _give_up(failure, f"{runs} of {rule.attempts} attempts of retry_on are used up")
    wait, trouble = _ask_wait(failure, rule.wait) if callable(rule.wait) else (rule.wait, "")
    seconds = _duration(wait, least=0)
    if seconds is None:
        seconds = delay(failure.count, failure.chance)
    return _retry(failure, seconds, f"attempt {runs} of {rule.attempts} of retry_on{trouble}")


def _ask_wait(failure: _Failure, wait: Callable[..., Any]) -> tuple[Any, str]:
    """It takes the number of the retry, and the error if it wants to know it."""
    takes_error = ask("", _takes_two, wait)[0] is True
    arguments = (failure.count, failure.error) if takes_error else (failure.count,)
    return ask("wait", wait, *arguments)


def _takes_two(function: Callable[..., Any]) -> bool:
    given = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return len(given) > 1


def _by_count(failure: _Failure) -> Decision:
    most = _most_retries(failure)
    if most is None:
        return Decision("drop", 0.0, failure.payload, "retry is off")
    period = _retry_for(failure)
    if period is not None and _first_failure(failure) + period < failure.now:
        return _give_up(failure, f"retry_for ({period:g} s) is over")
    if period is None and failure.count >= most:
        return _give_up(failure, f"{most} retries are used up")
    limit = f"of {most}" if period is None else f"within {period:g} s"
    return _ask_retry_in(failure, f"retry {failure.count + 1} {limit}")


def _most_retries(failure: _Failure) -> int | None:
    """Retries allowed; None when the job is not retried at all."""
    said = failure.payload.document.get("retry") is not None
    value = failure.payload.retry if said else failure.options.retry
    if isinstance(value, bool):
        return failure.default_max if value else None
    return value


def _retry_for(failure: _Failure) -> float | None:
    said = _duration(failure.payload.document.get("retry_for"))
    return failure.options.retry_for if said is None else said


def _first_failure(failure: _Failure) -> float:
    first = failure.payload.failed_at
    return failure.now if first is None else first


def _ask_retry_in(failure: _Failure, reason: str) -> Decision:
    hook = failure.options.retry_in
    answer, trouble = ask("retry_in", hook, failure.count, failure.error) if hook else (None, "")
    if _says(answer, Discard):
        return _discard(failure, "retry_in said discard")
    if _says(answer, Kill):
        return _give_up(failure, "retry_in said kill")
    seconds = _duration(answer)
    if seconds is None:
        return _retry(failure, delay(failure.count, failure.chance), reason + trouble)
    return _retry(failure, seconds + _jitter(failure.count, failure.chance), reason)


# --- the ends ---


def _retry(failure: _Failure, seconds: float, reason: str) -> Decision:
    return Decision("retry", seconds, failure.payload, f"{reason}, in {seconds:.0f} s")


def _discard(failure: _Failure, reason: str) -> Decision:
    return Decision("discard", 0.0, failure.payload.evolve(discarded_at=float(failure.now)), reason)


def _give_up(failure: _Failure, reason: str) -> Decision:
    hook = failure.options.retries_exhausted
    answer, trouble = ask("retries_exhausted", hook, failure.payload, failure.error) if hook else (None, "")
    if _says(answer, Discard):
        return _discard(failure, f"{reason}; retries_exhausted said discard")
    said = failure.payload.document.get("dead")
    keep = said if isinstance(said, bool) else failure.options.dead
    return Decision("bury" if keep else "drop", 0.0, failure.payload, reason + trouble)


# --- answers of hooks ---


def _says(answer: Any, steer: type[Discard] | type[Kill]) -> bool:
    return (
        answer is steer or isinstance(answer, steer) or (isinstance(answer, str) and answer == steer.__name__.lower())
    )


def _duration(value: Any, least: float = math.ulp(0.0)) -> float | None:
    """A usable duration in seconds, or None."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= LONGEST:
        return None
    return float(value)
