"""From how a run went to what becomes of the job. Decides; writes nothing."""

import logging
import os
import random
import sys
from contextlib import nullcontext, suppress
from functools import cache, partial

from django.conf import settings

from kiq_django import clock, conf, plugins, retry, routing, signals, wire
from kiq_django.exceptions import MalformedPayload, NeverRun, Oversized
from kiq_django.execution import Outcome
from kiq_django.options import JobOptions
from kiq_django.payload import PARKED, Payload
from kiq_django.store.working import Move
from kiq_django.worker import notes
from kiq_django.worker.reservation import Reservation
from kiq_django.worker.unroutable import unparked

logger = logging.getLogger("kiq_django.worker")

UNDECLARED = JobOptions()
SET_ASIDE = 60
"""Seconds that a job waits which we could not even decide about."""


def conclude(reservation: Reservation, outcome: Outcome) -> None:
    """Note on a reservation how it ended and where the job goes now."""
    reservation.outcome = outcome
    if outcome.interrupted:
        put_back(reservation)
    elif outcome.error is not None:
        _fail(reservation, outcome, outcome.error)
    elif "retry_count" in (document := outcome.payload.document) or notes.keeps_result(document):
        reservation.move = Move("end", reservation.raw, 0, b"", notes.of_success(reservation, outcome))


def put_back(reservation: Reservation) -> None:
    """Unchanged, to the front of its queue: it spends no attempt."""
    reservation.move = Move("requeue", reservation.raw, 0, reservation.raw)


def bury_oversized(reservation: Reservation, limit: int) -> None:
    """What is too large to be read goes to the dead set as it is, unread."""
    error = Oversized(
        f"A job of queue {reservation.whole!r} has {len(reservation.raw):,} bytes, more than a worker may read "
        f"(KIQ['LIMITS']['worker_payload'] is {limit:,}). It lies in the dead set as it was"
    )
    logger.error("%s", error)
    bury_unreadable(reservation, error)


def bury_unreadable(reservation: Reservation, error: MalformedPayload | Oversized) -> None:
    """Bytes that are no job go to the dead set as they are: somebody may still make sense of them."""
    reservation.move = Move("bury", reservation.raw, 0, reservation.raw)
    reservation.after = partial(signals.send, signals.job_dead, None, payload=None, error=error)


def crash(reservation: Reservation, error: BaseException) -> None:
    """An error came from around a job: it counts as the job's failure. Never raises, and never loses the job."""
    logger.error("A job could not be handled", exc_info=error)
    try:
        payload = Payload.decode(reservation.raw)
        outcome = Outcome(payload, reservation.whole, routing.find(payload))
        outcome.error = error
        conclude(reservation, outcome)
    except BaseException:
        logger.exception("The job is set aside unchanged for %d s", SET_ASIDE)
        reservation.move = Move("retry", reservation.raw, SET_ASIDE, reservation.raw)


def _fail(reservation: Reservation, outcome: Outcome, error: BaseException) -> None:
    definition = outcome.definition
    # What a job says about its own errors is not about those of a job that was never begun.
    options = definition.options if definition and not isinstance(error, NeverRun) else UNDECLARED
    with nullcontext() if options is UNDECLARED else plugins.around(outcome.payload):
        decision = retry.decide(
            unparked(outcome.payload) if PARKED in outcome.payload.document else outcome.payload,
            error,
            options,
            queue=reservation.whole,
            now=clock.now(),
            chance=random.random,
            default_max=_default_max(),
            roots=_roots(),
        )
    outcome.fate = decision.reason
    verdict = decision.verdict
    if verdict == "drop" and isinstance(error, NeverRun):
        verdict = "bury"  # not for this process: it may be a job of the next release, or of Ruby
    note = notes.of_failure(reservation, outcome, decision.payload, verdict)
    if verdict in ("retry", "bury"):
        new = wire.outgoing(decision.payload).encode()
        reservation.move = Move(verdict, reservation.raw, decision.delay, new, note)
    else:
        reservation.move = Move("end", reservation.raw, 0, b"", note)
    if verdict != "retry":
        reservation.after = partial(_announce_death, outcome, decision.payload, error)


def _announce_death(outcome: Outcome, payload: Payload, error: BaseException) -> None:
    definition = outcome.definition
    with nullcontext() if isinstance(error, NeverRun) else plugins.around(payload):
        signals.send(signals.job_dead, definition.sender if definition else None, payload=payload, error=error)


def _default_max() -> int:
    """Retries of a job whose payload says `retry: true`, which leaves the number to the worker."""
    value = conf.get().defaults.retry
    return retry.DEFAULT_MAX if isinstance(value, bool) else value


@cache
def _roots() -> tuple[str, ...]:
    """Folders that the project's files are told relative to, the project's own first."""
    folders = [str(getattr(settings, "BASE_DIR", ""))]
    with suppress(OSError):  # the folder may be gone: a release that was cleared away
        folders.append(os.getcwd())  # noqa: PTH109 - as text, which is what it is compared with
    folders += sorted(sys.path, key=len, reverse=True)
    return tuple(dict.fromkeys(f"{folder.rstrip(os.sep)}{os.sep}" for folder in folders if folder.strip(os.sep)))


conf.on_reset(_roots.cache_clear)
