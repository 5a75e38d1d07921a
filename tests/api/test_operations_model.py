"""Operations against whatever others may do meanwhile, as a model: every job in one place, and done with once."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kiq_django import clock
from kiq_django.api import labour
from kiq_django.api.budget import Budget
from kiq_django.api.filters import Filter
from kiq_django.api.operations import Operations
from kiq_django.api.queues import Queue
from kiq_django.api.sets import SETS
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry

DAY = 86_400


class Model(RuleBasedStateMachine):
    """One place with jobs of two names, one operation on those of one name; workers and people in between."""

    store = None

    @initialize(
        place=st.sampled_from(["queue", *SETS]),
        verb=st.sampled_from(["delete", "move", "reschedule", "retry", "spread", "kill"]),
        names=st.lists(st.sampled_from(["pay", "mail"]), max_size=25),
        same=st.booleans(),
    )
    def begin(self, place, verb, names, same):
        self.store.link.call("FLUSHALL")
        self.place, self.runs, self.handled = place, {}, set()
        self.later, self.gone, self.number = set(), set(), 0
        possible = {"queue": ("retry", "spread"), "dead": ("kill",)}.get(place, ())
        self.verb = "delete" if verb in possible else verb
        then = clock.now() - 100
        for number, name in enumerate(names):
            payload = Payload.new(
                name, [number], {}, queue="work", retry=True, now=then, enqueued_at=then, retry_count=1
            )
            self._put(place, payload, then + (50 if place == "dead" else DAY) + (0 if same else number))
        self.first = {name: {job.jid for job in self._jobs(place) if job.name == name} for name in ("pay", "mail")}
        options = {"move": {"to": "other"}, "reschedule": {"when": clock.now() + DAY}, "spread": {"spread": 2 * DAY}}
        self.api = Operations(self.store)
        target = Queue("work", self.store) if place == "queue" else SETS[place](self.store)
        verb = "retry" if self.verb == "spread" else self.verb
        self.operation = self.api.start(verb, target, Filter(name="pay"), **options.get(self.verb, {}))

    # -- what may happen --------------------------------------------------------------------------

    @precondition(lambda self: hasattr(self, "operation"))
    @rule(chunks=st.integers(1, 3))
    def step(self, chunks):
        self.api.step(self.operation.id, Budget(jobs=4 * (chunks - 1)))

    @precondition(lambda self: hasattr(self, "operation"))
    @rule()
    def crash(self):
        """The runner is killed after its claim, and its lease ends."""
        if self.store.operations.claim(self.operation.id, "host:1:killed"):
            self.store.link.call("HSET", self.store.keys.operation(self.operation.id), "lease", "1")

    @precondition(lambda self: hasattr(self, "operation"))
    @rule(name=st.sampled_from(["pay", "mail"]))
    def come(self, name):
        """A job comes to the place; by the clock of the server at least a moment after the start."""
        now = max(clock.now(), self.operation.started_at + 0.002)
        self.number += 1
        payload = Payload.new(name, [-self.number], {}, queue="work", retry=True, now=now, enqueued_at=now)
        self.later.add(payload.jid)
        self._put(self.place, payload, now + (0 if self.place == "dead" else DAY))

    @precondition(lambda self: hasattr(self, "operation"))
    @rule(number=st.integers(1, 6))
    def work(self, number):
        """Workers take jobs of a queue, and each fails."""
        for _ in range(number):
            raw = self.store.link.call("RPOP", self.store.keys.queue("work"))
            if raw is None:
                return
            payload = Payload.decode(raw)
            self.runs[payload.jid] = self.runs.get(payload.jid, 0) + 1
            now = max(clock.now(), self.operation.started_at + 0.002)
            self.gone.add(payload.jid)
            failed = payload.evolve(retry_count=(payload.retry_count or 0) + 1, retried_at=now)
            self.store.sets.add("retry", failed.encode(), now + DAY)

    @precondition(lambda self: hasattr(self, "operation"))
    @rule(data=st.data())
    def take_out(self, data):
        """Somebody deletes a job by hand."""
        jobs = self._jobs(self.place)
        if jobs:
            job = data.draw(st.sampled_from(jobs))
            self.gone.add(job.jid)
            if self.place == "queue":
                self.store.queues.remove("work", job.encode())
            else:
                self.store.sets.remove(self.place, [job.encode()])

    # -- what holds -------------------------------------------------------------------------------

    @invariant()
    def every_job_is_in_one_place(self):
        if hasattr(self, "operation"):
            found = [job.jid for place in (*SETS, "queue", "other") for job in self._jobs(place)]
            assert len(found) == len(set(found))

    @invariant()
    def nothing_is_done_twice_and_nothing_to_others(self):
        if not hasattr(self, "operation"):
            return
        now = self.api.find(self.operation.id)
        assert now.done <= len(self.first["pay"])
        here = {job.jid: job for job in self._jobs(self.place)}
        for jid in (self.first["mail"] | self.later) - self.gone:
            assert jid in here
        if now.state == "done":
            assert not [
                job for jid, job in here.items() if jid in self.first["pay"] - self.gone and self._is_as_it_was(job)
            ]
            if not self.gone & self.first["pay"]:
                assert now.done == len(self.first["pay"])

    def teardown(self):
        if hasattr(self, "operation"):
            while not self.api.step(self.operation.id).has_ended:
                pass
            self.every_job_is_in_one_place()
            self.nothing_is_done_twice_and_nothing_to_others()

    # -- the server -------------------------------------------------------------------------------

    def _put(self, place, payload, score):
        if place == "queue":
            self.store.queues.push([Entry("work", payload.encode())])
        else:
            self.store.sets.add(place, payload.encode(), score)

    def _jobs(self, place):
        if place in SETS:
            return [Payload.decode(raw) for raw, _ in self.store.sets.page(place, 0, 999)]
        return [Payload.decode(raw) for raw in self.store.queues.page({"queue": "work"}.get(place, place), 0, 999)]

    def _is_as_it_was(self, job):
        """Not what the operation makes of jobs that stay in their set."""
        moved = {"move": job.queue == "other", "reschedule": True, "spread": job.retry_count == 0}
        return self.place == "queue" or not moved.get(self.verb, False)


def test_whatever_happens_meanwhile(store, monkeypatch):
    monkeypatch.setattr(labour, "CHUNK", 4)
    monkeypatch.setattr(labour, "FIRST", 4)
    monkeypatch.setattr(Model, "store", store)
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    run_state_machine_as_test(
        Model, settings=settings(max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=checks)
    )
