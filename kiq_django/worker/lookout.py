"""Which queues a fetcher looks into, and when it looks again."""

from collections.abc import Callable, Mapping, Sequence

from kiq_django import clock
from kiq_django.store.working import Turn
from kiq_django.worker.queue_order import QueueOrder
from kiq_django.worker.watch import Watch

LOOK_AGAIN = 1.0
"""Seconds between two looks at queues that nobody waits on: paused ones, or too many."""
SHORT_LOOK = 0.05
"""Seconds between two looks where waiting does not do: while draining, on a full Redis, with a full event loop."""
MOST_WAITERS = 16
"""Queues that are waited on, a connection each; more are looked at in turn."""
FEW = 16
"""Queues that are looked into each time; of more, those that were found empty are left out for a while."""
EMPTY_FOR = 0.020
"""Seconds for which a queue that was found empty is left out: so much later a more important one may be seen."""
CROWDED_FOR = 5.0
"""Seconds after which a queue whose async jobs found no place is taken for any other: by now others may wait there."""
MOST_AT_ONCE = 64
"""Queues that one turn asks for; the next turn goes on behind them."""


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
        """`places` tells how many more jobs the event loop takes than are on their way to it; `lists` the lists of a
        queue, which are looked into one by one.
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
        self._crowding: dict[str, float] = {}
        """Queues of which a job found no place on the event loop, and when (monotonic seconds): for a while not more is
        taken from them than fits there."""
        self._left_alone: set[str] = set()
        self._empty: set[str] = set()
        """Queues that gave nothing when they were looked into, since `_empty_since` (monotonic seconds)."""
        self._empty_since = 0.0
        self._is_partial = False
        """When the last look began, some were left out as empty."""
        self._is_cut = False
        """The last look did not get to the end yet: the next turn goes on with it."""

    def leave_alone(self, queue: str) -> None:
        """An async job of this queue found no place on the event loop: take none from there until there is one."""
        self._crowding[queue] = clock.monotonic()
        self._left_alone.add(queue)

    @property
    def leaves_some_out(self) -> bool:
        """There are queues that were not looked into."""
        return bool(self._left_alone) or self._is_cut

    def looked_since(self, sent_at: float) -> float:
        """Since when every queue has been looked into, when the last were at `sent_at`; both in monotonic seconds."""
        return self._empty_since if self._empty else sent_at

    def all_queues(self) -> list[str]:
        """Every queue, in the order of one fetch."""
        self._is_partial = self._is_cut = False
        return self._order.draw()

    def inviting(self) -> list[str]:
        """Where to look now, in order; nowhere when it is not time yet."""
        if self._crowding:
            self._try_anew()
        if not self._is_cut:
            if not self._empty_longer():
                self._empty.clear()
            self._is_partial = bool(self._empty)
        left_out = self._left_alone | self._empty
        found = [name for name in self._order.draw() if name not in left_out]
        self.due = bool(found)
        self._is_cut = len(found) > MOST_AT_ONCE
        return found[:MOST_AT_ONCE]

    def _try_anew(self) -> None:
        """Leave alone what crowds, as long as there is no place; for a while."""
        now = clock.monotonic()
        for queue, refused_at in list(self._crowding.items()):
            if now - refused_at > CROWDED_FOR:
                self._crowding.pop(queue, None)
        self._left_alone = set() if self._untaken else set(self._crowding)

    @property
    def _untaken(self) -> int:
        """Places on the event loop that are for none of those who have come."""
        return max(0, self._places() - len(self._watch.arrivals))

    def fitting(self, queues: Sequence[str], room: int) -> int:
        """How many jobs to take from these queues at once, where the threads have so much room."""
        return room if self._crowding.keys().isdisjoint(queues) else min(room, max(1, self._untaken))

    def note(self, turn: Turn, room: int, sent_at: float) -> None:
        """What a look for `room` jobs has shown; `sent_at` in monotonic seconds. Of others nothing new is known."""
        self.paused = turn.paused | self.paused.difference(turn.seen)
        is_full = len(turn.taken) >= room
        if len(self.names) > FEW:
            self._leave_out_empty(turn, is_full=is_full, since=sent_at)
        self._is_cut = self._is_cut and not is_full
        self.due = is_full or self._is_cut

    def _leave_out_empty(self, turn: Turn, *, is_full: bool, since: float) -> None:
        gave = [queue for queue, _ in turn.taken]
        known = turn.seen
        if is_full:  # there may be more in the last that gave, and in all behind it
            known = known[: known.index(gave[-1])] if gave else []
        if not self._empty:
            self._empty_since = since
        self._empty.difference_update(gave)
        # What gave all that it had may soon have more, but while there are others to look into, they come first.
        self._empty.update(known if is_full or self._is_cut else set(known).difference(gave))

    def _empty_longer(self) -> float:
        """Seconds for which the empty ones are still left out."""
        return max(0.0, self._empty_since + EMPTY_FOR - clock.monotonic())

    def wait(self, owner: str) -> None:
        """Let the next job of each open queue come in by itself, where that will do."""
        if not self.due and not self._drain:
            if self._crowding:
                self._try_anew()
            closed = self.paused | self._left_alone
            open_queues = [name for name in self.names if name not in closed]
            self._watch.wait_on(owner, open_queues[:MOST_WAITERS])

    def patience(self, most: float) -> float:
        """Seconds to sleep before the next look, at most `most`."""
        if self.due:
            return 0
        if self._is_partial:
            return min(most, self._empty_longer())
        if self._drain or self._left_alone or self._watch.is_refused:
            return SHORT_LOOK
        return LOOK_AGAIN if self._is_unwatched else most

    def sleep(self, seconds: float) -> bool:
        """True when something happened before the time was up; if not, it may be time for a look."""
        if seconds:
            self._is_cut = False  # too long ago to go on with: the next look begins anew
        happened = self._watch.sleep(seconds)
        self.due = self.due or (not happened and (self._is_partial or self._is_unwatched))
        return happened

    @property
    def _is_unwatched(self) -> bool:
        """There are queues on which no waiter stands."""
        unwaited = self.paused or self._left_alone or len(self.names) > MOST_WAITERS
        return self._drain or bool(unwaited) or self._watch.is_refused
