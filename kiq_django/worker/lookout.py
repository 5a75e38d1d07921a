"""Which queues a fetcher looks into, and when it looks again."""

from collections.abc import Callable, Mapping, Sequence

from kiq_django.worker.queue_order import QueueOrder
from kiq_django.worker.watch import Watch

LOOK_AGAIN = 1.0
"""Seconds between two looks at queues that nobody waits on: paused ones, or too many."""
SHORT_LOOK = 0.05
"""Seconds between two looks where waiting does not do: while draining, on a full Redis, with a full event loop."""
MOST_WAITERS = 16
"""Queues that are waited on, a connection each; more are looked at in turn."""


class Lookout:
    """What is known of the queues of a capsule. Any thread may call `leave_alone`; all else is the fetcher's."""

    def __init__(
        self,
        queues: Mapping[str, int],
        watch: Watch,
        *,
        drain: bool,
        places: Callable[[], int],
        lists: Callable[[str], Sequence[str]] = lambda queue: (queue,),
    ) -> None:
        """`places` tells how many more jobs the event loop takes; `lists` the lists of a queue, which are looked into
        one by one.
        """
        self.due = True
        """There may be jobs that do not come in by themselves."""
        self.paused: frozenset[str] = frozenset()
        """Queues from which we take nothing, as of the last look."""
        self._order = QueueOrder(queues, lists=lists)
        self.names = self._order.names
        self._watch = watch
        self._drain = drain
        self._places = places
        self._crowding: set[str] = set()
        """Queues of which a job once found no place on the event loop: not more is taken from them than fits there."""
        self._left_alone: set[str] = set()

    def leave_alone(self, queue: str) -> None:
        """An async job of this queue found no place on the event loop: take none from there until there is one."""
        self._crowding.add(queue)
        self._left_alone.add(queue)

    @property
    def leaves_some_alone(self) -> bool:
        """There are queues that are not looked into."""
        return bool(self._left_alone)

    def all_queues(self) -> list[str]:
        """Every queue, in the order of one fetch."""
        return self._order.draw()

    def inviting(self) -> list[str]:
        """Where to look now, in order."""
        if self._crowding:
            self._left_alone = set() if self._places() else set(self._crowding)
        return [name for name in self._order.draw() if name not in self._left_alone]

    def fitting(self, queues: Sequence[str], room: int) -> int:
        """How many jobs to take from these queues at once, where the threads have so much room."""
        return room if self._crowding.isdisjoint(queues) else min(room, max(1, self._places()))

    def wait(self, owner: str) -> None:
        """Let the next job of each open queue come in by itself, where that will do."""
        if not self.due and not self._drain:
            closed = self.paused | self._left_alone
            open_queues = [name for name in self.names if name not in closed]
            self._watch.wait_on(owner, open_queues[:MOST_WAITERS])

    def patience(self, most: float) -> float:
        """Seconds to sleep before the next look, at most `most`."""
        if self.due:
            return 0
        if self._drain or self._left_alone or self._watch.is_refused:
            return SHORT_LOOK
        return LOOK_AGAIN if self._is_unwatched else most

    def sleep(self, seconds: float) -> bool:
        """True when something happened before the time was up; if not, it may be time for a look."""
        happened = self._watch.sleep(seconds)
        self.due = self.due or (not happened and self._is_unwatched)
        return happened

    @property
    def _is_unwatched(self) -> bool:
        """There are queues on which no waiter stands."""
        unwaited = self.paused or self._left_alone or len(self.names) > MOST_WAITERS
        return self._drain or bool(unwaited) or self._watch.is_refused
