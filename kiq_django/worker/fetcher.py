"""The engine's one loop per capsule: settle what finished and reserve what there is room for, in one round trip."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from kiq_django import clock
from kiq_django.exceptions import StoreError
from kiq_django.store import Store
from kiq_django.store.working import Turn
from kiq_django.worker import verdict
from kiq_django.worker.bell import Bell
from kiq_django.worker.buffer import Buffer
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.journal import Journal
from kiq_django.worker.outage import Outage
from kiq_django.worker.ownership import Ownership, Place
from kiq_django.worker.pace import Pace
from kiq_django.worker.queue_order import QueueOrder
from kiq_django.worker.reservation import Reservation
from kiq_django.worker.settler import Settler
from kiq_django.worker.watch import Watch

logger = logging.getLogger("kiq_django.worker")

NAP = 0.001
"""Seconds. While jobs are quick, their ends are gathered this long instead of waking the loop for each."""
STALE = 0.010
"""Seconds. A fetched job that no thread has begun goes back, so that another process can have it."""
GRACE = 0.005
"""Seconds. Waiters outlive a full house by this: quick jobs make room again before it is worth ending them."""
LOOK_AGAIN = 1.0
"""Seconds between two looks at queues that nobody waits on: paused ones, or too many."""
SHORT_LOOK = 0.05
"""Seconds between two looks where waiting does not do: while draining, on a full Redis, with a full event loop."""
MOST_WAITERS = 16
"""Queues that are waited on, a connection each; more are looked at in turn."""


class Fetcher:
    """Moves jobs from the queues of one capsule to its threads, and their ends back to Redis.

    A turn is one round trip: what finished is settled, and room is filled. Room is what the threads
    can take, and what they will finish within the next milliseconds. With all queues empty the loop
    sleeps on one blocked fetch per queue; the first job wakes it.

    Whatever goes wrong on the connection, nothing is lost: ends are kept until Redis has answered, and
    jobs on our working list that are not in memory are adopted, after each error and every few seconds.
    """

    def __init__(
        self,
        capsule: CapsuleConfig,
        identity: str,
        store: Store,
        buffer: Buffer,
        *,
        lease: float,
        audit_every: float,
        journal: Journal | None = None,
        drain: bool = False,
        no_place: Callable[[], bool] = lambda: False,
    ) -> None:
        self._capsule = capsule
        self._working = store.working
        self._buffer = buffer
        self._audit_every = audit_every
        self._journal = journal
        self._drain = drain
        self._no_place = no_place
        # Written by any thread, each with one atomic step:
        self._finished: deque[Reservation] = deque()
        self._handed_off: set[Reservation] = set()
        self._left_alone: set[str] = set()
        self._bell = Bell()
        self._fetching = True
        self._abandon = False
        self._stopping = False
        # Written by the loop's thread only; the first four are read by others:
        self.turned_at = clock.monotonic()
        """When the loop last went round (monotonic seconds): what a health check looks at."""
        self.finished_at = 0.0
        """When a job last ended (monotonic seconds)."""
        self.drained_at = -1.0
        """When the queues were last found empty with nothing running."""
        self.settler = Settler(journal, buffer.put)
        self._order = QueueOrder(capsule.queues)
        self._names = self._order.names
        self._ownership = Ownership(store.working, f"{identity}:{capsule.name}", self._names, lease)
        self._active = 0
        self._look = True
        self._shaken = False
        self._paused: frozenset[str] = frozenset()
        self._stuck_since = 0.0
        self._audited_at = clock.monotonic()
        self._pace = Pace()
        self._outage = Outage(f"Fetching for {', '.join(self._names)}")
        self._watch = Watch(self._bell, store.waiters())
        self._thread = threading.Thread(target=self._run, name=f"kiq-fetcher-{capsule.name}", daemon=True)

    # -- from other threads -----------------------------------------------------------------------

    def start(self) -> None:
        """Start the loop."""
        self._thread.start()

    def finish(self, reservation: Reservation) -> None:
        """A thread is done with a job; its end is to be settled."""
        self._finished.append(reservation)
        self._bell.ring()

    def hand_off(self, reservation: Reservation) -> None:
        """A job runs on the event loop from now on: the thread that took it is free for another."""
        self._handed_off.add(reservation)
        self._bell.ring()

    def leave_alone(self, queue: str) -> None:
        """An async job of this queue found no place on the event loop: take none from there until there is one."""
        self._left_alone.add(queue)

    def note_start(self) -> None:
        """A line about a job's start waits to be written."""
        self._bell.ring()

    def quiet(self) -> None:
        """Fetch no more; what no thread has begun goes back."""
        self._fetching = False
        self._bell.ring()

    def stop(self) -> None:
        """End the loop as soon as nothing runs and everything is settled."""
        self._fetching = False
        self._stopping = True
        self._bell.ring()

    def abandon(self) -> None:
        """Time is up: push back what still runs. A job that ends after this is not settled here."""
        self._abandon = True
        self.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the loop. False when it did not come within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def renew(self) -> None:
        """Prolong the lease; called by the heartbeat, whatever the loop is doing."""
        if not self._ownership.renew():
            self._bell.ring()

    @property
    def busy(self) -> int:
        """Jobs that were taken and have not finished."""
        return self._active

    # -- the loop ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_over():
            try:
                self._round()
            except StoreError as error:
                self._shake()
                self._write_lines()
                self._sleep(self._outage.note(error))
            except Exception:
                logger.exception("An error in the fetch loop; it goes on")
                self._shake()
                self._sleep(LOOK_AGAIN)
        self._ownership.retire()
        self._watch.close()
        self._write_lines()

    def _round(self) -> None:
        self._bell.heard()
        self.turned_at = clock.monotonic()
        if self._ownership.lost or not self._ownership.name:
            self._take_new_name()
        if self._shaken:
            self._recover()
        elif self.turned_at - self._audited_at > self._audit_every:
            self._audit()
        self._turn()
        self._outage.over()
        self._write_lines()
        if not self._fetching:
            self._let_go()
        if not self._is_over():
            self._rest()

    def _is_over(self) -> bool:
        if self._stopping and self._abandon and self._outage.lasting:
            return True  # Redis is away and time is up: the lease ends, and a reaper does the rest
        unsettled = self._active or self._finished or self.settler.waiting or self._watch.has_arrivals
        return self._stopping and not unsettled

    def _turn(self) -> None:
        """One round trip, when there is something to settle or to look for."""
        self._collect()
        arrived = len(self._watch.arrivals)
        room = max(0, self._room() - arrived)
        looking = arrived or (self._fetching and self._look and room)
        queues = self._order.draw() if arrived else self._queues() if looking else []
        if not (queues or self.settler.waiting):
            return
        owner, sent_at = self._ownership.name, clock.monotonic()
        turn = self._working.turn(self.settler.batches(), owner, queues, room if self._fetching else 0)
        self._confirm(turn)
        if queues:
            self._paused = turn.paused
            self._look = len(turn.taken) >= room
            self._accept(self._watch.take_arrivals() + turn.taken)
            if not (turn.taken or arrived or self._active or self._left_alone):
                self.drained_at = sent_at

    def _queues(self) -> list[str]:
        """Where to look now, in order."""
        if self._left_alone and not self._no_place():
            self._left_alone.clear()
        return [name for name in self._order.draw() if name not in self._left_alone]

    def _collect(self) -> None:
        finished = self.settler.collect(self._finished)
        self._pace.note(finished, self.turned_at)
        if finished:
            self.finished_at = clock.monotonic()
            self._active = max(0, self._active - finished)
            self._look = True
            if self._handed_off:
                self._handed_off.difference_update(self.settler.waiting)

    def _confirm(self, turn: Turn) -> None:
        ownership = self._ownership
        if turn.reaped:
            ownership.lost = True
        for reservation in self.settler.confirm(turn.settled, living=ownership.living):
            if reservation.owner == ownership.name:
                ownership.release((reservation.queue, reservation.raw))

    def _room(self) -> int:
        on_threads = self._active - len(self._handed_off)
        return self._capsule.concurrency + self._pace.ahead - on_threads

    def _accept(self, jobs: Sequence[Place]) -> None:
        """Hand jobs to the threads; back go those that came in although we take none from their queue now."""
        ownership = self._ownership
        begun: list[Reservation] = []
        unwanted: list[Reservation] = []
        for place in jobs:
            reservation = Reservation(ownership.name, *place)
            ownership.hold(place)
            refused = reservation.queue in self._paused or ownership.lost or not self._fetching
            (unwanted if refused else begun).append(reservation)
        self._put_back(unwanted)
        self._active += len(begun)
        self._buffer.put(begun)

    def _write_lines(self) -> None:
        if self._journal:
            with contextlib.suppress(Exception):  # a full disk must not keep jobs from being settled
                self._journal.flush()

    # -- sleeping ---------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Until something finished, something came in, or it is time for a look."""
        if self._active and self._pace.ahead:
            time.sleep(NAP)
            self._watch.look()
        elif not self.settler.waiting:
            self._wait()
        self._release_stuck()

    def _wait(self) -> None:
        has_room = self._fetching and self._room() > 0
        if has_room and not self._look and not self._drain:
            closed = self._paused | self._left_alone
            open_queues = [name for name in self._names if name not in closed]
            self._watch.wait_on(self._ownership.name, open_queues[:MOST_WAITERS])
        if not self._sleep(self._patience(has_room=has_room)) and not has_room:
            self._watch.end_waiting()

    def _patience(self, *, has_room: bool) -> float:
        """Seconds that the loop may sleep."""
        if has_room and self._look:
            return 0
        if not has_room:
            return GRACE if self._watch.is_waiting or len(self._buffer) else self._audit_every
        if self._drain or self._left_alone or self._watch.is_refused:
            return SHORT_LOOK
        return LOOK_AGAIN if self._unwatched else self._audit_every

    @property
    def _unwatched(self) -> bool:
        """There are queues on which no waiter stands."""
        unwaited = self._paused or self._left_alone or len(self._names) > MOST_WAITERS
        return self._drain or bool(unwaited) or self._watch.is_refused

    def _sleep(self, seconds: float) -> bool:
        """True when something happened before the time was up."""
        happened = self._watch.sleep(seconds)
        self._look = self._look or (not happened and self._unwatched)
        return happened

    # -- giving back ------------------------------------------------------------------------------

    def _release_stuck(self) -> None:
        """More is held than the threads will get to at the present pace: somebody else shall have it."""
        if len(self._buffer) <= self._pace.ahead:
            self._stuck_since = 0.0
        elif not self._stuck_since:
            self._stuck_since = clock.monotonic()
        elif clock.monotonic() - self._stuck_since > STALE:
            self._give_back_unbegun()
            self._stuck_since = 0.0

    def _give_back_unbegun(self) -> None:
        unbegun = self._buffer.drain()
        self._active -= len(unbegun)
        self._put_back(unbegun)

    def _put_back(self, reservations: Iterable[Reservation]) -> None:
        """To the front of their queues, the newest first, so that they stand there in their old order."""
        for reservation in reversed(list(reservations)):
            verdict.put_back(reservation)
            self.settler.waiting.append(reservation)

    def _let_go(self) -> None:
        """We are quiet: nothing comes in any more, what was not begun goes back, at the deadline what runs too."""
        self._watch.end_waiting()
        self._give_back_unbegun()
        if self._abandon and self._active:
            self._collect()
            running = self._ownership.held_but((r.queue, r.raw) for r in self.settler.waiting)
            logger.warning("Time is up: %d running jobs go back to their queues", len(running))
            self._active = 0
            self._put_back(Reservation(self._ownership.name, *place) for place in running)

    # -- trouble ----------------------------------------------------------------------------------

    def _shake(self) -> None:
        """Something failed half-way: nothing is known of what was under way."""
        self._shaken = True
        self.settler.doubt()
        self._watch.drop()

    def _recover(self) -> None:
        """Settle again what may not have been, then look what we hold without knowing."""
        self._collect()
        turn = self._working.turn(self.settler.batches(), self._ownership.name, self._names, 0)
        self._confirm(turn)
        self._paused = turn.paused
        if not turn.reaped:
            self._adopt()
        self._shaken = False
        self._look = True

    def _audit(self) -> None:
        self._watch.end_waiting()
        self._adopt()
        self._look = True

    def _adopt(self) -> None:
        """What lies on our list and is not in memory came there by a fetch whose answer was lost."""
        self._audited_at = clock.monotonic()
        if ghosts := self._ownership.ghosts(self._watch.arrivals):
            logger.warning("Adopting %d jobs whose fetch was never answered", len(ghosts))
            self._accept(ghosts)

    def _take_new_name(self) -> None:
        """Register, at first or after a reaper took us for dead. Under the old name nothing more is begun."""
        if old := self._ownership.name:
            logger.warning("This process was taken for dead and its jobs were given back; it goes on under a new name")
            self._watch.end_waiting()
            self._put_back(Reservation(old, *place) for place in self._watch.take_arrivals())
            self._give_back_unbegun()
        self._ownership.register()
        self._look = True
