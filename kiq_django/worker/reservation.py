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
    part_of: str = ""
    """The queue that its list is a part of, where that has another name."""

    def __init__(self, owner: str, queue: str, raw: bytes) -> None:
        self.owner = owner
        """Under whose name it was taken: it can only be settled under the same."""
        self.queue = queue
        """The list that it was taken from."""
        self.raw = raw
        """As it stands on the working list."""

    @property
    def whole(self) -> str:
        """The queue: what is told of the job."""
        return self.part_of or self.queue
