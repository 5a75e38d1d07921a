"""The engine's one loop per capsule: settle what finished and reserve what there is room for, in one round trip."""

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Sequence

from kiq_django import clock
from kiq_django.exceptions import StoreError
from kiq_django.store import Store
from kiq_django.store.working import Turn
from kiq_django.worker.bell import Bell
from kiq_django.worker.buffer import Buffer
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.custody import Custody
from kiq_django.worker.journal import Journal
from kiq_django.worker.line import Line
from kiq_django.worker.lookout import LOOK_AGAIN, Lookout
from kiq_django.worker.outage import Outage
from kiq_django.worker.ownership import Ownership, Place
from kiq_django.worker.reservation import Reservation
from kiq_django.worker.settler import Settler
from kiq_django.worker.watch import Watch

logger = logging.getLogger("kiq_django.worker")

GRACE = 0.005
"""Seconds. Waiters outlive a full house by this: quick jobs make room again before it is worth ending them."""


class Fetcher:
    """Moves jobs from the queues of one capsule to its threads, and their ends back to Redis.

    A turn is one round trip: what finished is settled, and room is filled. Room is what the threads can take, and what
    they will finish within the next milliseconds. With all queues empty the loop sleeps on one blocked fetch per queue.

    Whatever goes wrong on the connection, nothing is lost: ends are kept until Redis has answered, and jobs on our
    working list that are not in memory are adopted, after each error and every few seconds.
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
        places: Callable[[], int] = lambda: 1,
        line: Line | None = None,
    ) -> None:
        self._working = store.working
        self._audit_every = audit_every
        self._journal = journal
        # Written by any thread, each with one atomic step:
        self._bell = Bell()
        self._fetching = True
        self._abandon = False
        self._give_up_at = 0.0
        self._stopping = False
        # Written by the loop's thread only; the first two are read by others:
        self.turned_at = clock.monotonic()
        """When the loop last went round (monotonic seconds): what a health check looks at."""
        self.drained_at = -1.0
        """When the queues were last found empty with nothing running."""
        self._shaken = False
        self._audited_at = clock.monotonic()
        # Each of these says itself which thread may do what:
        self._watch = Watch(self._bell, store.waiters())
        self._lookout = Lookout(capsule.queues, self._watch, drain=drain, places=places, lists=store.lists)
        names = self._lookout.names
        self._ownership = Ownership(store.working, f"{identity}:{capsule.name}", names, lease)
        self.settler = Settler(journal, buffer.put)
        whole = store.whole if len(names) > len(capsule.queues) else None
        self._custody = Custody(capsule.concurrency, buffer, self.settler, self._ownership, whole, line)
        self.leave_alone = self._lookout.leave_alone
        self.note_start = self._bell.ring
        """A line about a job's start waits to be written."""
        self._outage = Outage(f"Fetching for {', '.join(capsule.queues)}")
        self._thread = threading.Thread(target=self._run, name=f"kiq-fetcher-{capsule.name}", daemon=True)

    # -- from other threads -----------------------------------------------------------------------

    def start(self) -> None:
        """Start the loop."""
        self._thread.start()

    def finish(self, reservation: Reservation) -> None:
        """A thread is done with a job; its end is to be settled."""
        self._custody.finished.append(reservation)
        self._bell.ring()

    def hand_off(self, reservation: Reservation) -> None:
        """A job runs on the event loop from now on: the thread that took it is free for another."""
        self._custody.handed_off.add(reservation)
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

    def abandon(self, patience: float = 0.5) -> None:
        """Time is up: push back what still runs. A job that ends after this is not settled here.

        Args:
            patience: seconds in which Redis must have taken that, should it be away.
        """
        self._give_up_at = clock.monotonic() + patience
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
    def why_not_taking(self) -> str:
        """Why no jobs are taken at the moment; empty when they are."""
        if not self._fetching:
            return "quiet"
        if self._outage.lasting or not self._ownership.name:
            return "Redis is away"
        return ""

    @property
    def finished_at(self) -> float:
        """When a job last ended (monotonic seconds)."""
        return self._custody.finished_at

    # -- the loop ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_over():
            try:
                self._round()
            except StoreError as error:
                self._shake()
                self._write_lines()
                self._lookout.sleep(self._outage.note(error))
            except Exception:
                logger.exception("An error in the fetch loop; it goes on")
                self._shake()
                self._lookout.sleep(LOOK_AGAIN)
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
        if not self._welcome():
            self._turn()
        self._outage.over()
        self._write_lines()
        if not self._fetching:
            self._let_go()
        if not self._is_over():
            self._rest()

    def _is_over(self) -> bool:
        if self._abandon and self._outage.lasting and clock.monotonic() > self._give_up_at:
            return True  # the lease ends, and a reaper does the rest
        # A fetch that is still pending could take a job after we are gone: it has to be ended first.
        quiet = not (self._watch.is_waiting or self._watch.has_arrivals)
        return self._stopping and self._custody.is_empty and quiet

    def _welcome(self) -> bool:
        """Let jobs that came in begin, where the server has said that they may. A look for more waits until then."""
        if admitted := self._watch.take_admitted():
            self._accept(admitted, closed=())
            self._lookout.due = True
        return bool(admitted)

    def _turn(self) -> None:
        """One round trip, when there is something to settle or to look for."""
        self._collect()
        arrived = len(self._watch.arrivals)
        room = max(0, self._custody.room - arrived)
        looking = self._fetching and self._lookout.due and room
        queues = self._lookout.all_queues() if arrived else self._lookout.inviting() if looking else []
        room = self._lookout.fitting(queues, room) if self._fetching else 0
        if not (queues or self.settler.waiting):
            return
        owner, sent_at = self._ownership.name, clock.monotonic()
        turn = self._working.turn(self.settler.batches(), owner, queues, room, thorough=bool(arrived))
        self._confirm(turn)
        if queues:
            self._lookout.note(turn, room, sent_at)
            self._accept(self._watch.take_arrivals() + turn.taken, closed=self._lookout.paused)
            if not (turn.taken or arrived or self._custody.active or self._lookout.leaves_some_out):
                self.drained_at = self._lookout.looked_since(sent_at)

    def _collect(self) -> None:
        if self._custody.collect(self.turned_at):
            self._lookout.due = True

    def _confirm(self, turn: Turn) -> None:
        if turn.reaped:
            self._ownership.lost = True
        self._custody.confirm(turn.settled)

    def _accept(self, jobs: Sequence[Place], *, closed: Collection[str]) -> None:
        taking = self._fetching and not self._ownership.lost
        self._custody.accept(jobs, closed=closed, taking=taking)

    def _write_lines(self) -> None:
        if self._journal:
            with contextlib.suppress(Exception):  # a full disk must not keep jobs from being settled
                self._journal.flush()

    # -- resting and letting go -------------------------------------------------------------------

    def _rest(self) -> None:
        """Until something finished, something came in, or it is time for a look."""
        if self._custody.is_quick:
            self._custody.nap(more=self._lookout.due)
            self._watch.look()
        elif not self.settler.waiting:
            self._wait()
        self._custody.give_back_stuck()

    def _wait(self) -> None:
        if self._fetching and self._custody.room > 0:
            self._lookout.wait(self._ownership.name)
            self._lookout.sleep(self._lookout.patience(GRACE if self._custody.has_unbegun else self._audit_every))
            return
        grace = self._watch.is_waiting or self._custody.has_unbegun
        if not self._lookout.sleep(GRACE if grace else self._audit_every):
            self._watch.end_waiting()

    def _let_go(self) -> None:
        """We are quiet: nothing comes in any more, what was not begun goes back, at the deadline what runs too."""
        self._watch.end_waiting()
        self._custody.give_back_unbegun()
        if self._abandon and self._custody.active:
            self._collect()
            self._custody.give_back_running()

    # -- trouble ----------------------------------------------------------------------------------

    def _shake(self) -> None:
        """Something failed half-way: nothing is known of what was under way."""
        self._shaken = True
        self.settler.doubt()
        self._watch.drop()

    def _recover(self) -> None:
        """Settle again what may not have been, then look what we hold without knowing."""
        self._collect()
        turn = self._working.turn(self.settler.batches(), self._ownership.name, self._lookout.names, 0)
        self._confirm(turn)
        self._lookout.paused = turn.paused
        if not turn.reaped:
            self._adopt()
        self._shaken = False
        self._lookout.due = True

    def _audit(self) -> None:
        self._watch.end_waiting()
        self._adopt()
        self._lookout.due = True

    def _adopt(self) -> None:
        """By a fetch whose answer was lost jobs lie on our list, even after a reaping: the next turn asks first."""
        self._audited_at = clock.monotonic()
        if ghosts := self._ownership.ghosts(self._watch.arrivals):
            logger.warning("Adopting %d jobs whose fetch was never answered", len(ghosts))
            self._watch.adopt(ghosts)

    def _take_new_name(self) -> None:
        """Register, at first or after a reaper took us for dead. Under the old name nothing more is begun."""
        if old := self._ownership.name:
            logger.warning("This process was taken for dead and its jobs were given back; it goes on under a new name")
            self._watch.end_waiting()
            self._custody.put_back(Reservation(old, *place) for place in self._watch.take_arrivals())
            self._custody.give_back_unbegun()
        self._ownership.register()
        self._lookout.due = True
