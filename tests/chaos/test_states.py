"""Whatever is done through the public API, in whatever order, each job is in exactly one place until its end."""

import os
import threading
from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kiq_django import RetryOn, api, execution, job, registry
from kiq_django.payload import Payload
from kiq_django.store import Store
from kiq_django.store.suspects import RECOVERIES_THAT_ISOLATE
from kiq_django.worker import verdict
from kiq_django.worker.poller import Poller
from kiq_django.worker.reaper import Reaper
from kiq_django.worker.reservation import Reservation
from kiq_django.worker.settler import Settler
from tests.chaos.look import held

EXAMPLES = int(os.environ.get("KIQ_CHAOS_EXAMPLES", "50"))
STEPS = int(os.environ.get("KIQ_CHAOS_STEPS", "50"))
QUEUE = "default"
LATER = timedelta(hours=1)
HANDS = st.integers(0, 1)

failing: set[int] = set()
"""Numbers of jobs that fail as things are."""
ran: Counter[int] = Counter()


def step(number: int) -> None:
    """The one job of all these worlds."""
    ran[number] += 1
    if number in failing:
        raise ValueError(number)


class Hand:
    """A worker without threads: it takes, runs and settles when it is told to."""

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self.holds: list[Reservation] = []
        self.stolen: set[Reservation] = set()
        """What was taken back from it while it lived."""
        self._store = store
        self._settler = Settler(None, lambda afters: [after() for after in afters])
        store.working.register(name, [QUEUE], 1000)

    def take(self) -> None:
        """Reserve one job, if one is to be had."""
        turn = self._store.working.turn([], self.name, [QUEUE], 1)
        self.holds += [Reservation(self.name, queue, raw) for queue, raw in turn.taken]

    def finish(self) -> Reservation:
        """Run the oldest job, and settle it."""
        reservation, *self.holds = self.holds
        payload = Payload.decode(reservation.raw)
        verdict.conclude(reservation, execution.run(payload, QUEUE, threading.Event()))
        self._settler.waiting.append(reservation)
        turn = self._store.working.turn(self._settler.batches(), self.name, [], 0)
        before = self._settler.stolen
        self._settler.confirm(turn.settled, living=self.name)
        assert (self._settler.stolen > before) == (reservation in self.stolen)
        return reservation


class States(RuleBasedStateMachine):
    """What a project, its workers and its people do."""

    store: ClassVar[Store]
    task: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.store.link.call("FLUSHALL")
        failing.clear()
        ran.clear()
        self.open: dict[str, int] = {}
        """Jobs that have not come to their end, and their numbers."""
        self.failed: Counter[int] = Counter()
        self.excused: Counter[int] = Counter()
        """Times that a job was taken back from a worker."""
        self.count = 0
        self.hands = [self.hand(), self.hand()]
        self.dead: list[Hand] = []

    def hand(self) -> Hand:
        self.count += 1
        return Hand(self.store, f"host:{self.count}:a")

    # -- the project ------------------------------------------------------------------------------

    @rule(fails=st.booleans(), later=st.booleans())
    def enqueue(self, fails: bool, later: bool) -> None:
        self.count += 1
        handle = self.task.enqueue_in(LATER, self.count) if later else self.task.enqueue(self.count)
        self.open[handle.id] = self.count
        if fails:
            failing.add(self.count)

    @rule(count=st.integers(1, 5))
    def enqueue_all(self, count: int) -> None:
        numbers = range(self.count + 1, self.count + 1 + count)
        self.count += count
        self.open.update(zip(self.task.enqueue_all([(number,) for number in numbers]), numbers, strict=True))

    @rule()
    def mend(self) -> None:
        """A new release: nothing fails any more."""
        failing.clear()

    # -- workers ----------------------------------------------------------------------------------

    @rule(number=HANDS, then=st.sampled_from(["run", "keep", "keep"]))
    def take(self, number: int, then: str) -> None:
        self.hands[number].take()
        if then == "run" and self.hands[number].holds:
            self.finish(number)

    @precondition(lambda self: any(hand.holds for hand in self.hands))
    @rule(number=HANDS)
    def finish(self, number: int) -> None:
        hand = self.hands[number] if self.hands[number].holds else self.hands[1 - number]
        reservation = hand.finish()
        jid, task = whose(reservation.raw)
        if reservation in hand.stolen:
            hand.stolen.discard(reservation)
        elif reservation.outcome is not None and reservation.outcome.error is None:
            del self.open[jid]
        else:
            self.failed[task] += 1

    @precondition(lambda self: any(hand.holds for hand in self.hands))
    @rule(number=HANDS)
    def kill(self, number: int) -> None:
        self.dead.append(self.hands[number])
        self.hands[number] = self.hand()

    @precondition(lambda self: self.dead)
    @rule()
    def reap(self) -> None:
        """The jobs of the dead stand at the front of the queue, in their old order."""
        for hand in self.dead:
            self.take_back(hand)
        self.dead.clear()

    @precondition(lambda self: any(hand.holds for hand in self.hands))
    @rule(number=HANDS)
    def reap_the_living(self, number: int) -> None:
        number = number if self.hands[number].holds else 1 - number
        hand = self.hands[number]
        self.take_back(hand)
        hand.stolen.update(hand.holds)
        self.hands[number] = self.hand()
        self.hands[number].holds = hand.holds  # it runs on, under a new name
        self.hands[number].stolen = hand.stolen

    def take_back(self, hand: Hand) -> None:
        listed = [raw for _, raw in self.store.working.held(hand.name, [QUEUE])]
        counts = [self.recovered(raw) for raw in listed]
        waiting = self.store.queues.page(QUEUE, 0, 1000)
        Reaper(self.store, 5, 30).reap(QUEUE, hand.name, force=True)
        spared = [raw for raw, count in zip(listed, counts, strict=True) if count + 1 < RECOVERIES_THAT_ISOLATE]
        assert self.store.queues.page(QUEUE, 0, 1000) == spared + waiting
        for raw in listed:
            self.excused[whose(raw)[1]] += 1

    def recovered(self, raw: bytes) -> int:
        return int(self.store.link.call("GET", self.store.keys.recovered(QUEUE, whose(raw)[0])) or 0)

    def suspects(self) -> list[bytes]:
        """Jobs that were taken back twice, and run alone from now on."""
        return [raw for _, raw in self.store.suspects.held([QUEUE])]

    @rule()
    def let_a_suspect_out(self) -> None:
        self.store.suspects.let_out([QUEUE])

    @rule()
    def poll(self) -> None:
        Poller(self.store, 5).tick()
        assert api.RetrySet(self.store).size == 0  # they wait for no time

    # -- people -----------------------------------------------------------------------------------

    @rule()
    def pause_and_resume(self) -> None:
        queue = api.Queue(QUEUE, self.store)
        queue.pause("a test", "to see")
        size = queue.size
        self.hands[0].take()
        assert queue.size == size
        assert queue.resume()

    @precondition(lambda self: len(self.open) > 5)
    @rule()
    def clear(self) -> None:
        gone = [whose(raw)[0] for raw in self.store.queues.page(QUEUE, 0, 1000) + self.suspects()]
        assert api.Queue(QUEUE, self.store).clear() == len(gone)
        for jid in gone:
            del self.open[jid]

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if self.open:
            jid = data.draw(st.sampled_from(sorted(self.open)))
            places = (api.Queue(QUEUE, self.store), api.ScheduledSet(self.store), api.RetrySet(self.store))
            found = next(filter(None, (place.find(jid) for place in places)), None)
            if found is not None:
                assert found.delete()
                assert not found.delete()
                del self.open[jid]

    @rule()
    def run_the_scheduled_now(self) -> None:
        scheduled = api.ScheduledSet(self.store)
        count = scheduled.size
        assert scheduled.retry_all() == count

    @rule()
    def retry_the_dead(self) -> None:
        dead = api.DeadSet(self.store)
        count = dead.size
        assert dead.retry_all() == count

    @rule()
    def forget_scripts(self) -> None:
        self.store.link.client.script_flush()

    # -- always -----------------------------------------------------------------------------------

    @invariant()
    def each_is_in_one_place(self) -> None:
        sets = [raw for name in ("retry", "schedule", "dead") for raw, _ in self.store.sets.page(name, 0, 1000)]
        raws = self.store.queues.page(QUEUE, 0, 1000) + held(self.store) + self.suspects() + sets
        assert Counter(whose(raw)[0] for raw in raws) == Counter(list(self.open))

    @invariant()
    def nothing_ran_too_often(self) -> None:
        for number, times in ran.items():
            assert times <= 1 + self.failed[number] + self.excused[number]

    def teardown(self) -> None:
        """In the end all that is left can be brought to its end."""
        failing.clear()
        for hand in self.dead + self.hands:
            Reaper(self.store, 5, 30).reap(QUEUE, hand.name, force=True)
        self.run_the_scheduled_now()
        self.poll()
        self.retry_the_dead()
        hand = self.hand()
        while self.store.queues.sizes([QUEUE])[QUEUE] or self.suspects():
            self.store.suspects.let_out([QUEUE])
            hand.take()
            hand.finish()
        assert [api.Queue(QUEUE, self.store).size, api.RetrySet(self.store).size, held(self.store)] == [0, 0, []]
        assert set(self.open.values()) <= set(ran)


def whose(raw: bytes) -> tuple[str, int]:
    """Id and number of a job."""
    payload = Payload.decode(raw)
    return payload.jid, payload.args[0]


@pytest.fixture
def task(monkeypatch):
    """A job that is known to this test alone: three attempts without a pause, then the dead set."""
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))
    return job(name="step", retry_on=RetryOn(ValueError, wait=0, attempts=3))(step)


@pytest.mark.timeout(60 + 20 * EXAMPLES)
def test_states(store, task):
    States.store, States.task = store, task
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    run_state_machine_as_test(
        States,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=checks, database=None
        ),
    )
