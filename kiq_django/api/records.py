"""One job as it lies in Redis, wherever that is."""

from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from kiq_django import backtrace, clock, failure
from kiq_django.exceptions import MalformedPayload, Unsupported
from kiq_django.payload import Payload

Place = Literal["queue", "schedule", "retry", "dead", "running"]
Action = Literal["delete", "retry", "add_to_queue", "kill", "reschedule", "move"]

WORDS: dict[Place, str] = {
    "queue": "in a queue",
    "schedule": "scheduled",
    "retry": "waiting for its retry",
    "dead": "dead",
    "running": "running",
}


class JobRecord:
    """A job, read on demand and with care: bytes that are no job have `payload` None and say why in `error`.

    Every action answers True, or False when the job was no longer there: somebody else was quicker. `actions`
    names those that make sense where the job is; the others raise `Unsupported`.
    """

    actions: frozenset[Action] = frozenset()

    is_suspect = False
    """It waits in its queue to run when no other such job does: two workers died that had it."""

    def __init__(self, raw: bytes, place: Place, *, queue: str | None = None, at: float | None = None) -> None:
        self.raw = raw
        """The bytes as they are in Redis: the identity of the job there."""
        self.place = place
        self.at = at
        """Epoch seconds: when the job is due (`schedule`, `retry`), died (`dead`) or began (`running`)."""
        self._queue = queue

    @classmethod
    def suspect(cls, raw: bytes, queue: str) -> "JobRecord":
        """A job that is held back."""
        record = cls(raw, "queue", queue=queue)
        record.is_suspect = True
        return record

    # -- reading ----------------------------------------------------------------------------------

    @cached_property
    def _decoded(self) -> tuple[Payload | None, str]:
        try:
            return Payload.decode(self.raw), ""
        except MalformedPayload as error:
            return None, str(error)

    @property
    def payload(self) -> Payload | None:
        """The parsed job; None when the bytes are not one."""
        return self._decoded[0]

    @property
    def error(self) -> str:
        """Why the bytes cannot be read; empty when they can."""
        return self._decoded[1]

    @property
    def jid(self) -> str:
        """The job's id; empty when it cannot be read."""
        return self.payload.jid if self.payload else ""

    @property
    def name(self) -> str:
        """Under which the job was declared; empty when it cannot be read."""
        return self.payload.name if self.payload else ""

    @property
    def display_name(self) -> str:
        """The name for people: of a job inside another system's wrapper it is that job's."""
        return self.payload.display_name if self.payload else ""

    @property
    def args(self) -> list[Any]:
        """As stored: rich values are not decoded."""
        return self.payload.args if self.payload else []

    @property
    def kwargs(self) -> dict[str, Any]:
        """As stored."""
        return self.payload.kwargs if self.payload else {}

    @property
    def queue(self) -> str:
        """Where the job waits, ran, or will go to."""
        if self._queue is not None:
            return self._queue
        return self.payload.queue if self.payload else ""

    @property
    def tags(self) -> list[str]:
        return self.payload.tags if self.payload else []

    @property
    def created_at(self) -> float | None:
        """Epoch seconds, as all times here."""
        return self.payload.created_at if self.payload else None

    @property
    def enqueued_at(self) -> float | None:
        """When the job last came into a queue."""
        return self.payload.enqueued_at if self.payload else None

    @property
    def failed_at(self) -> float | None:
        """When it first failed."""
        return self.payload.failed_at if self.payload else None

    @property
    def retried_at(self) -> float | None:
        """When it last failed, if that was not the first time."""
        return self.payload.retried_at if self.payload else None

    @property
    def retry_count(self) -> int | None:
        """Failures but the first; None before the first. A retry by hand takes one off, so -1 is possible."""
        return self.payload.retry_count if self.payload else None

    @property
    def latency(self) -> float:
        """Seconds since the job came into its queue, or was made; 0 when neither is known."""
        since = self.enqueued_at or self.created_at
        return max(0.0, clock.now() - since) if since else 0.0

    @property
    def error_class(self) -> str:
        """Of the last failure; empty before the first."""
        return self._text("error_class")

    @property
    def error_message(self) -> str:
        return self._text("error_message")

    @property
    def frame(self) -> str:
        """Where in the project the last failure came from: `billing/gateway.py:88 in charge`. Empty when unknown."""
        return failure.kind_of(self.payload)[2]

    @cached_property
    def fingerprint(self) -> str:
        """12 hex digits, the same for all jobs of this name that failed with this class of error at this place."""
        return failure.fingerprint(failure.kind_of(self.payload))

    @cached_property
    def backtrace(self) -> list[str]:
        """Lines of the last failure, innermost first, when the job keeps them."""
        return backtrace.decode(self.payload.document.get("error_backtrace")) if self.payload else []

    def _text(self, field: str) -> str:
        value = self.payload.document.get(field) if self.payload else None
        return "" if value is None else str(value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.display_name or 'unreadable'} {self.jid} in {self.place}>"

    # -- acting -----------------------------------------------------------------------------------

    def delete(self) -> bool:
        """Throw the job away."""
        raise self.refusal("deleted")

    def retry(self) -> bool:
        """Run it now, at the back of its queue; what failed before gets one more retry for it."""
        raise self.refusal("retried")

    def add_to_queue(self) -> bool:
        """Run it now, at the back of its queue, the count of retries unchanged."""
        raise self.refusal("enqueued")

    def kill(self) -> bool:
        """Put it into the dead set. Receivers of `job_dead` hear of it, with a `Kill` as error."""
        raise self.refusal("killed")

    def reschedule(self, when: datetime | float) -> bool:
        """Run it at another time. A dead job becomes a retry again.

        Args:
            when: an aware datetime (naive without `USE_TZ`), or epoch seconds.
        """
        raise self.refusal("rescheduled")

    def move(self, queue: str) -> bool:
        """Put it, or send it in due time, to the back of another queue.

        Raises:
            ConfigurationError: the name cannot be a queue's.
        """
        raise self.refusal("moved")

    def refusal(self, done: str) -> Unsupported:
        """The error of an action that makes no sense here."""
        return Unsupported(f"A job that is {WORDS[self.place]} cannot be {done}")

    def readable(self) -> Payload:
        """The parsed job.

        Raises:
            MalformedPayload: the bytes are not one.
        """
        if self.payload is None:
            raise MalformedPayload(
                f"The job cannot be read, so nobody knows its queue; it can be killed or deleted ({self.error})"
            )
        return self.payload
