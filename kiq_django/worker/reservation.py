"""One reserved job on its way through a worker."""

from collections.abc import Callable

from kiq_django.execution import Outcome
from kiq_django.store.working import Move


class Reservation:
    """The unit of work. One thread at a time holds it: fetcher, processor, fetcher."""

    outcome: Outcome | None = None
    """How it ended; None until it ran."""
    move: Move | None = None
    """Where it goes; None is nowhere: an acknowledgement."""
    after: Callable[[], None] | None = None
    """What to call once its end is stored."""

    def __init__(self, owner: str, queue: str, raw: bytes) -> None:
        self.owner = owner
        """Under whose name it was taken: it can only be settled under the same."""
        self.queue = queue
        self.raw = raw
        """As it stands on the working list."""
