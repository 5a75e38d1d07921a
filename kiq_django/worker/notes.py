"""What is to be remembered of a run, written in the same step as the end of the run. Never raises."""

from collections.abc import Mapping
from typing import Any, Final

from kiq_django import backtrace, results
from kiq_django.codec import dump_bytes
from kiq_django.execution import Outcome
from kiq_django.failure import FRAME, ask
from kiq_django.options import LONGEST
from kiq_django.payload import RESULT, TASK, Payload
from kiq_django.retry import Verdict
from kiq_django.store import records
from kiq_django.worker.reservation import Reservation

PLACES: Final[dict[Verdict, records.Place]] = {
    "retry": "retry",
    "bury": "dead",
    "drop": "dropped",
    "discard": "discarded",
}


def of_failure(reservation: Reservation, outcome: Outcome, failed: Payload, verdict: Verdict) -> records.Note | None:
    """A failed run.

    Args:
        failed: the job with its error fields.
        verdict: what was decided about it.
    """
    found: records.Note | None = ask("", _of_failure, reservation, outcome, failed, PLACES[verdict])[0]
    return found


def of_success(reservation: Reservation, outcome: Outcome) -> records.Note | None:
    """A run that succeeded, of a job that had failed before or whose result is kept."""
    run = records.Run(outcome.started_at, outcome.elapsed, _worker(reservation))
    note = records.succeeded(outcome.payload.jid, outcome.payload.display_name, reservation.whole, run)
    return _with_result(note, outcome.payload, _result(outcome))


def _of_failure(
    reservation: Reservation, outcome: Outcome, failed: Payload, place: records.Place
) -> records.Note | None:
    document = failed.document
    error = outcome.error
    attempt = records.Attempt(
        outcome.started_at,
        outcome.elapsed,
        _worker(reservation),
        error_class=document["error_class"],
        message=document["error_message"],
        frame=document.get(FRAME, ""),
        backtrace=tuple(backtrace.lines_of(error, records.TRACE_LINES)) if error else (),
        text=backtrace.text_of(error) if error and keeps_result(document) else "",
    )
    queue = failed.queue if place == "retry" else reservation.whole
    note = records.failed(failed.jid, place, failed.display_name, queue, failed.retry_count or 0, attempt)
    return _with_result(note, failed)


def keeps_result(document: Mapping[str, Any]) -> bool:
    """Whether somebody may ask for this job's result: a task of `django.tasks`, or one declared with `result`."""
    return RESULT in document or TASK in document


def _with_result(note: records.Note | None, payload: Payload, result: bytes = b"") -> records.Note | None:
    """The same note, with the result if that is kept."""
    document = payload.document
    if note is None or not keeps_result(document):
        return note
    told = document.get(TASK)
    seconds = document.get(RESULT, told.get("result_ttl") if isinstance(told, dict) else None)
    keep = seconds if type(seconds) is int and 0 < seconds <= LONGEST else 0
    has_failed = bool(note.run) or "retry_count" in document
    fields = (*note.fields, "result", result, "running", b"")
    return note._replace(fields=fields, keep=keep, has_failed=has_failed or not keep)


def _result(outcome: Outcome) -> bytes:
    """Empty for a job whose result is not kept, and where a link has put something unwritable in its place."""
    if not keeps_result(outcome.payload.document):
        return b""
    dump = dump_bytes if TASK in outcome.payload.document else results.dump
    return ask("", dump, outcome.result)[0] or b""


def _worker(reservation: Reservation) -> str:
    """`host:pid:nonce`, with which the name of every owner begins."""
    return ":".join(reservation.owner.split(":", 3)[:3])
