"""`manage.py demo --once`: every kind of job on real input, and a count of what came of it."""

import secrets
from collections.abc import Callable

from example_project.demo import batches, evidence, table, tally, verdict
from example_project.demo.batches import Batch
from example_project.demo.stage import Stage
from example_project.demo.web import Visitor
from example_project.desk import engine
from example_project.desk.models import Order, Run


class Rehearsal:
    """One run of everything."""

    def __init__(self, stage: Stage, say: Callable[[str], object], *, deadline: float) -> None:
        self.stage = stage
        self.say = say
        self.deadline = deadline
        self.cut_short = 0
        self.batches: list[Batch] = []
        self.troubles: list[str] = []

    def run(self, *, kill: bool) -> bool:
        """Start everything, wait until it is done, print the table. True if everything is as it must be."""
        self._start(kill=kill)
        self._order_on_the_page()
        self._settle()
        self.batches += [batches.chunks_of(batch) for batch in self.batches if batch.kind.slug == "import"]
        self._settle()
        self.batches += batches.start(*batches.LATER)
        self._settle()
        self._judge()
        return not self.troubles

    def _start(self, *, kill: bool) -> None:
        before = Run.objects.count()
        self.batches += batches.start_all_but_the_last()
        if kill:
            enough = sum(len(batch.started) for batch in self.batches) // 4
            self._wait(
                lambda: Run.objects.count() - before >= enough and engine.held() > 0, "a good moment for the kill"
            )
            self._kill_worker()

    def _kill_worker(self) -> None:
        pid = self.stage.kill_worker()
        self.cut_short = engine.held()
        self.say(f"Killed the worker (kill -9 {pid}) while it held {self.cut_short} jobs; starting another.")
        self.stage.start_worker()

    def _order_on_the_page(self) -> None:
        """As a customer: through gunicorn, with receipt and parcel as jobs that nobody here counts."""
        visitor = Visitor(self.stage.address)
        name = f"Visitor {secrets.token_hex(4)}"
        prints = {"photo": "cat", "size": "20x30", "quantity": 2}
        visitor.send("/orders/", {"customer": name, "email": "visitor@example.com", **prints})
        done = Order.objects.filter(customer=name, receipt__isnull=False, shipment__isnull=False)
        self._wait(done.exists, "receipt and parcel of the order that was placed on the page")
        self.troubles += visitor.tour()

    def _settle(self) -> None:
        self._wait(lambda: not tally.unsettled(self.batches), "all jobs to come to their end")

    def _wait(self, probe: Callable[[], bool], what: str) -> None:
        def still_well() -> bool:
            self.stage.check()
            return probe()

        if not self.stage.patience.wait_for(still_well, self.deadline):
            self.troubles.append(f"waited {self.deadline:.0f} s in vain for {what}")

    def _judge(self) -> None:
        tallies = [tally.count(batch) for batch in self.batches]
        for batch, counted in zip(self.batches, tallies, strict=True):
            must = tally.must_be(batch, self.stage.seed)
            self.troubles += verdict.differences(counted, must, self.cut_short)
            self.troubles += evidence.troubles_of(batch, self.stage.seed)
        self.say(f"\n{table.render(tallies)}\n\n")
