"""What the rest of the package may expect of an adapter."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from asgiref.sync import sync_to_async

from kiq_django import results
from kiq_django.backtrace import text_of
from kiq_django.exceptions import Discard
from kiq_django.execution import Outcome
from kiq_django.failure import ask
from kiq_django.payload import RESULT, TASK, Payload


class Adapter(ABC):
    """Takes payloads over from the client. Made once per process and settings, used by many threads at once."""

    persistent: ClassVar[bool]
    """A job that was pushed survives the end of this process."""
    schedules: ClassVar[bool]
    """Takes payloads with `at`; to others the client gives none."""
    bulk: ClassVar[bool]
    """Many payloads in one `push` cost about as much as one."""
    takes_written: ClassVar[bool] = False
    """Has `launch`."""

    @abstractmethod
    def push(self, payloads: Sequence[Payload]) -> None:
        """Take these over, in order. `payload.at`, epoch seconds, is set only when it lies ahead.

        Raises:
            StoreError: they were not, or perhaps not, taken over.
        """

    async def apush(self, payloads: Sequence[Payload]) -> None:
        """`push` from an event loop."""
        await sync_to_async(self.push, thread_sensitive=True)(payloads)

    def launch(self, queue: str, written: Sequence[bytes]) -> Callable[[], None]:
        """Take over what `push` would of payloads of one queue that are due, keep no result and are no tasks.

        Args:
            queue: of all.
            written: as `payload.encode()` gives them.

        Returns:
            What waits until they were taken over, and raises as `push` does; to be called once.

        Raises:
            StoreError: as for `push`.
        """
        raise NotImplementedError

    def push_with_care(self, payloads: Sequence[Payload], *, once: bool = False, replicas: int = 0) -> Sequence[bool]:
        """As `push`, with promises that cost more. An adapter that knows no such thing pushes.

        Args:
            once: what an earlier call took over is not taken again, by its id.
            replicas: so many replicas of the server must have them.

        Returns:
            For each whether it was taken over by this call.

        Raises:
            NotReplicated: all are taken over, and fewer replicas have them.
            StoreError: they were not, or perhaps not, taken over.
        """
        del once, replicas
        self.push(payloads)
        return [True] * len(payloads)

    def waiting(self, queue: str) -> int:
        """How many jobs wait in a queue: what its limit is about. An adapter without queues has none."""
        del queue
        return 0

    def forget(self, jids: Sequence[str]) -> None:
        """Nobody will ask again to push these `once`."""
        return

    def close(self) -> None:
        """The settings changed, or the process ends: finish what can be finished."""
        return


def begin_result(payload: Payload) -> None:
    """For adapters of this process: a job whose result is kept has come."""
    if RESULT in payload.document and TASK not in payload.document:
        results.entered(payload.jid)


def keep_result(outcome: Outcome) -> None:
    """For the same: it is over, for good."""
    document = outcome.payload.document
    if RESULT not in document or TASK in document:
        return
    if outcome.error is None:
        results.ended(outcome.payload.jid, outcome.result)
    else:
        results.failed(outcome.payload.jid, outcome.error, ask("", text_of, outcome.error)[0] or "")


def failure_of(outcome: Outcome) -> BaseException | None:
    """What a job raised, unless that ends the job alone: `Discard`, and the errors that it declares in `discard_on`."""
    quiet = outcome.definition.options.discard_on if outcome.definition else ()
    return None if isinstance(outcome.error, (Discard, *quiet)) else outcome.error


def raise_failure(outcome: Outcome) -> None:
    """For adapters without retries: let it out."""
    if (error := failure_of(outcome)) is not None:
        raise error
