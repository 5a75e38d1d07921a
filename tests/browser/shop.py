"""A shop on a busy afternoon, written into Redis the way its programs and workers write: what pictures show.

Mails wait, because the five threads that send them build reports. Since the deploy of half an hour ago the payment
gateway times out. Ada has paused the queue `low`.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from django.contrib.admin.models import LogEntry
from django.test import RequestFactory

from kiq_django import clock, failure, histogram, jids, job, models
from kiq_django.admin import audit
from kiq_django.api import Budget, DeadSet, Filter, Operations, ScheduledSet
from kiq_django.execution import Outcome
from kiq_django.payload import Payload
from kiq_django.store import Store
from kiq_django.store.metrics import JobMetrics
from kiq_django.store.queues import Entry
from kiq_django.store.working import Batch
from kiq_django.worker import verdict
from kiq_django.worker.reservation import Reservation
from tests.browser import faces

MINUTE = 60
DEPLOYED = 34
"""Minutes ago."""
JOBS = {
    # name: queue, runs a minute, milliseconds of a run
    "mail.jobs.send_receipt": ("mailers", 11, 180),
    "mail.jobs.send_digest": ("mailers", 3, 950),
    "billing.jobs.charge": ("critical", 38, 420),
    "billing.jobs.capture": ("critical", 12, 260),
    "orders.jobs.confirm": ("default", 96, 35),
    "orders.jobs.reserve_stock": ("default", 88, 60),
    "stock.jobs.sync_stock": ("default", 30, 310),
    "search.jobs.index_product": ("default", 41, 22),
    "reports.jobs.build_report": ("mailers", 1, 41_000),
    "media.jobs.resize_photo": ("low", 9, 1_900),
}
WAITING = {"default": 1_204, "mailers": 8_106, "low": 312}
LATELY = {"default": -24, "mailers": 130, "low": 2}
"""By how much each has grown in a minute."""
WEB_1, WEB_2 = "web-1:4121:9f3a61d0c2e4", "web-2:3977:1c77b04e95aa"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
KINDS = {
    "CardTimeout": ("billing.jobs.charge", "critical", faces.timeout),
    "CardDeclined": ("billing.jobs.charge", "critical", faces.declined),
    "Refused": ("mail.jobs.send_receipt", "mailers", faces.refused),
    "Memory": ("reports.jobs.build_report", "mailers", faces.out_of_memory),
    "Missing": ("stock.jobs.sync_stock", "default", faces.missing),
}


class Shop:
    """All of it. `jids` names the jobs that have a story."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = clock.now()
        self.chance = random.Random(7)
        self.jids: dict[str, str] = {}
        self._past()
        self._stories()
        self._waiting()
        self._failed()
        self._scheduled()
        self.crews = self._workers()
        self.beat()

    # -- what was ---------------------------------------------------------------------------------

    def _past(self) -> None:
        """A month by the day, a day by the quarter of an hour, two hours by the minute, with a deploy in between."""
        for day in range(30, 1, -1):
            runs = round(41_000 * (1 + 0.25 * math.sin(day)))
            self.store.counters.add_totals(runs, runs // 400, self.now - 86_400 * day)
        for back in [*range(24 * 60, 120, -15), *range(120, -1, -1)]:
            self._minute(back, 15 if back > 120 else 1)
        with at(self.now - DEPLOYED * MINUTE):
            self.store.deploys.mark("3f2a9c", clock.now())
            self.store.deploys.mark("v142", clock.now() - 23 * 3600)

    def _minute(self, back: int, minutes: int) -> None:
        moment = self.now - back * MINUTE
        wave = minutes * (1 + 0.3 * math.sin(back / 9) + 0.12 * math.sin(back / 2.3))
        jobs, ended = {}, {}
        for name, (queue, rate, ms) in JOBS.items():
            runs = max(0, round(rate * wave * self.chance.uniform(0.85, 1.15)))
            jobs[name] = self._counted(runs, ms, self._share_of_failures(name, back))
            ended[queue] = ended.get(queue, 0) + runs
        self.store.ledger.write(jobs, moment, {int(moment // MINUTE) * MINUTE: ended})
        runs, failures = (sum(getattr(seen, what) for seen in jobs.values()) for what in ("runs", "failures"))
        self.store.counters.add_totals(runs, failures, moment)

    def _share_of_failures(self, name: str, back: int) -> float:
        usual = 0.02 if name == "stock.jobs.sync_stock" else 0.002
        return 0.19 if name == "billing.jobs.charge" and back < DEPLOYED else usual

    def _counted(self, runs: int, ms: float, share: float) -> JobMetrics:
        seen = JobMetrics(runs=runs, failures=round(runs * share + self.chance.random() * 0.4))
        for _ in range(max(0, runs - seen.failures)):
            took = ms * self.chance.lognormvariate(0, 0.5)
            seen.run_ms += took
            histogram.add(seen.run, took)
            histogram.add(seen.wait, self.chance.expovariate(1 / 900))
        return seen

    # -- what waits -------------------------------------------------------------------------------

    def _waiting(self) -> None:
        """Fill the queues in steps, each measured as workers do once a minute."""
        oldest = {"default": 21, "mailers": 250, "low": 5_400}
        for step in range(8, -1, -1):
            for queue, size in WAITING.items():
                self._push(queue, size - 8 * LATELY[queue] if step == 8 else LATELY[queue], oldest[queue], step)
            self.store.sizes.take((self.now // MINUTE - step + 1) * MINUTE)
        note = {"by": "ada", "reason": "photos can wait until the sale is over", "at": self.now - 1_260}
        self.store.queues.pause("low", note)
        self.store.link.call("SADD", self.store.keys.queues(), "critical")

    def _push(self, queue: str, number: int, oldest: float, step: int) -> None:
        if number < 0:
            self.store.link.call("RPOP", self.store.keys.queue(queue), -number)
        names = [name for name, (place, _, _) in JOBS.items() if place == queue and name != "reports.jobs.build_report"]
        made = []
        for index in range(number):
            since = oldest * (step + 1 - index / number) / 9
            made.append(self.job(names[index % 7 % len(names)], queue, since).encode())
        self.store.queues.push([Entry(queue, raw) for raw in made])

    def job(self, name: str, queue: str, since: float = 0.0, **fields: Any) -> Payload:
        """One that came into its queue so many seconds ago."""
        came = self.now - since
        number = self.chance.randrange(10_000, 99_999)
        args, kwargs = self._call(name, number)
        payload = Payload.new(name, args, kwargs, queue=queue, retry=True, now=came, jid=jids.new_jid(came), **fields)
        return payload.evolve(enqueued_at=round(came, 6))

    def _call(self, name: str, number: int) -> tuple[list[Any], dict[str, Any]]:
        kind = name.split(".")[0]
        if kind == "mail":
            return [number], {"to": f"customer{number}@example.com", "language": self.chance.choice(["en", "de", "ja"])}
        if kind == "billing":
            card = {"token": "tok_1PqX", "brand": "visa", "last4": "4242"}
            return [number, {"amount": f"{number % 400}.90", "currency": "EUR", "card": card}], {}
        if kind == "reports":
            return [2026, "revenue"], {"format": "xlsx"}
        return [number], {}

    # -- what failed ------------------------------------------------------------------------------

    def _failed(self) -> None:
        for kind, number, hours in (("CardTimeout", 96, 0.5), ("Missing", 17, 20), ("Refused", 9, 9)):
            for index in range(number):
                ago = hours * 3600 * (index + self.chance.random()) / number
                self._put("retry", kind, ago, due=30 + 900 * self.chance.random(), count=1 + index % 4)
        for kind, number, days in (("CardTimeout", 23, 2.6), ("Memory", 6, 6), ("CardDeclined", 5, 9)):
            for index in range(number):
                ago = days * 86_400 * ((index + self.chance.random()) / number) ** 2 + 240
                self._put("dead", kind, ago, due=-ago, count=24)
        self.store.sets.add("dead", b"mail.jobs.send_receipt(4711)", self.now - 6 * 86_400)

    def _put(self, place: str, kind: str, ago: float, due: float, count: int) -> None:
        name, queue, make = KINDS[kind]
        payload = self.job(name, queue, ago + 60 * count)
        with at(self.now - ago):
            error = make(payload.args[0] if isinstance(payload.args[0], int) else 7)
            failed = failure.recorded(payload, error, count=0, queue=queue, now=clock.now() - 60 * count)
            failed = failure.recorded(failed, error, count=count, queue=queue, now=clock.now())
        self.store.sets.add(place, failed.encode(), self.now + due)

    def _scheduled(self) -> None:
        for index in range(418):
            name = ("mail.jobs.send_digest", "orders.jobs.confirm", "stock.jobs.sync_stock")[index % 3]
            due = 12 + 86_400 * (index / 418) ** 1.5
            payload = self.job(name, JOBS[name][0], self.chance.uniform(60, 40_000)).evolve(at=round(self.now + due, 6))
            self.store.sets.add("schedule", payload.encode(), self.now + due)

    # -- jobs with a story ------------------------------------------------------------------------

    def _stories(self) -> None:
        """Jobs whose runs are on record: one that waits for its next attempt, a dead one, one that made it."""
        payload = self.job("billing.jobs.charge", "critical", 190, tags=["eu", "vip"], trace_id=TRACE)
        self.jids["retry"] = self._runs(payload, [faces.timeout(70_412)] * 3, [180, 158, 95])
        payload = self.job("reports.jobs.build_report", "mailers", 9_400).evolve(retry=2)
        self.jids["dead"] = self._runs(payload, [faces.out_of_memory(9_001)] * 3, [9_000, 7_000, 5_000])
        payload = self.job("stock.jobs.sync_stock", "default", 900)
        self.jids["done"] = self._runs(payload, [faces.missing(881), None], [860, 700])
        waiting = self.job("orders.jobs.confirm", "default", 22)
        self.jids["queue"] = waiting.jid
        self.store.queues.push([Entry("default", waiting.encode())])

    def _runs(self, payload: Payload, errors: Sequence[Exception | None], ago: Sequence[float]) -> str:
        """Let a worker have run a job, with these errors, at these times."""
        raw, queue = payload.encode(), payload.queue
        for number, (error, back) in enumerate(zip(errors, ago, strict=True)):
            owner = f"{WEB_1 if number % 2 else WEB_2}:0"
            self._take(owner, queue, raw)
            with at(self.now - back):
                outcome = Outcome(Payload.decode(raw), queue, None)
                outcome.error, outcome.elapsed = error, 10.0 + number / 7
                reservation = Reservation(owner, queue, raw)
                verdict.conclude(reservation, outcome)
            moves = [reservation.move] if reservation.move else []
            self.store.working.turn([Batch(owner, queue, [] if moves else [raw], moves)], owner, [], 0)
            raw = self._waits(payload.jid)
        return payload.jid

    def _take(self, owner: str, queue: str, raw: bytes) -> None:
        """Have the job on the working list of an owner, wherever it was."""
        self.store.working.register(owner, [queue], 30)
        self.store.link.call("ZREM", self.store.keys.job_set("retry"), raw)
        self.store.link.call("LPUSH", self.store.keys.working(queue, owner), raw)

    def _waits(self, jid: str) -> bytes:
        found = [raw for raw, _ in self.store.sets.page("retry", 0, 1_000) if jid.encode() in raw]
        return found[0] if found else b""

    # -- who works --------------------------------------------------------------------------------

    def _workers(self) -> dict[str, tuple[list[str], int, list[bytes], int]]:
        """Queues, threads, what they run, and memory of each process."""
        card = [("billing.jobs.charge", "critical", 6.2), ("orders.jobs.confirm", "default", 0.4),
                ("stock.jobs.sync_stock", "default", 2.1), ("billing.jobs.capture", "critical", 0.3)]  # fmt: skip
        long = [("reports.jobs.build_report", "mailers", 182.0 + 9 * number) for number in range(5)]
        return {
            WEB_1: (["critical", "default", "low"], 10, [self._work(*each) for each in card], 152_300),
            WEB_2: (["mailers"], 5, [self._work(*each) for each in long], 431_700),
        }

    def beat(self) -> None:
        """Let the workers be heard of, as they are every few seconds."""
        for identity, (queues, threads, works, rss) in self.crews.items():
            self._beat(identity, queues, threads, works, rss)

    def _beat(self, identity: str, queues: list[str], threads: int, works: Sequence[bytes], rss: int) -> None:
        host, pid, _ = identity.split(":")
        info = {"hostname": host, "pid": int(pid), "started_at": self.now - DEPLOYED * MINUTE, "tag": "shop",
                "concurrency": threads, "queues": queues, "weights": [dict.fromkeys(queues, 1)], "labels": ["3f2a9c"],
                "identity": identity, "version": "kiq_django 0.1.0"}  # fmt: skip
        work = {f"t{number}": each for number, each in enumerate(works)}
        fields = {"info": json.dumps(info), "concurrency": str(threads), "busy": str(len(work)), "rss": str(rss),
                  "beat": repr(clock.now()), "rtt_us": "412", "quiet": "false"}  # fmt: skip
        self.store.processes.beat(identity, fields, work)

    def _work(self, name: str, queue: str, since: float) -> bytes:
        payload = self.job(name, queue, since + 1)
        self.jids.setdefault("running", payload.jid)
        entry = {"queue": queue, "payload": payload.encode().decode(), "run_at": int(self.now - since)}
        return json.dumps(entry).encode()


@contextmanager
def at(moment: float) -> Iterator[None]:
    """At another time."""
    with mock.patch.object(clock, "now", return_value=moment):
        yield


def declare() -> None:
    """Let the code of the shop be known, as it is where its pages are shown."""
    for number, name in enumerate(JOBS):
        module, _, function = name.rpartition(".")
        path = f"{faces.PROJECT}{module.replace('.', '/')}.py"
        job(name=name, queue=JOBS[name][0])(faces.function((path, 12 + 14 * (number % 4), function), "*args, **kw", ""))


def act(people: Mapping[str, Any], shop: Shop) -> str:
    """What people have done, in the audit log and as operations. Returns the id of an operation that goes on."""
    dead, queue = models.DeadJob("dead"), models.Queue
    deeds: list[tuple[str, float, Any, str, int, dict[str, Any], str]] = [
        ("ben", 9.5, dead, "delete", 412, {"job": "search.jobs.index_product"}, "index was built anew"),
        ("ada", 26.0, queue("mailers"), "clear", 9_310, {}, "the campaign was sent twice"),
        ("ben", 3.2, models.Process(WEB_2), "quiet", 1, {}, "deploy"),
        (
            "ada",
            0.9,
            models.Job(shop.jids["retry"]),
            "reschedule",
            1,
            {"job": "billing.jobs.charge", "from": "retry"},
            "",
        ),
        ("ada", 0.35, queue("low"), "pause", 1, {}, "photos can wait until the sale is over"),
        ("ben", 0.2, dead, "retry", 29, {"spread": "10"}, "gateway is back"),
    ]
    for name, hours, subject, verb, count, details, reason in sorted(deeds, key=lambda deed: -deed[1]):
        request = RequestFactory().post("/")
        request.user = people[name]
        entry = audit.record(request, subject, verb, count=count, details=details, reason=reason)
        moment = datetime.fromtimestamp(shop.now - 3600 * hours, UTC)
        LogEntry.objects.filter(pk=entry.pk).update(action_time=moment)
    return _operations()


def _operations() -> str:
    operations = Operations()
    done = operations.start("retry", DeadSet(), Filter(error_class="billing.errors.CardDeclined"), spread=600.0,
                            by="ben", reason="gateway is back", total=5)  # fmt: skip
    operations.step(done.id, Budget(5.0))
    begun = operations.start("delete", ScheduledSet(), Filter(name="mail.jobs.send_digest"), by="ada",
                             reason="the campaign was sent twice", total=140)  # fmt: skip
    operations.step(begun.id, Budget(5.0, jobs=260))
    return begun.id
