"""The bugs that are brought by replacing something in Python; those in Lua are edits of its text, in `mutants`."""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

from kiq_django import clock, codec, databases, redaction, registry
from kiq_django.exceptions import StoreError, StoreRefused, StoreUnavailable
from kiq_django.features import metrics, seal
from kiq_django.payload import Payload
from kiq_django.service import Service
from kiq_django.store import scripts
from kiq_django.store.link import Link
from kiq_django.store.queues import Entry, Queues
from kiq_django.store.sets import Sets
from kiq_django.store.waiters import Waiters
from kiq_django.store.working import Batch, Move, Working
from kiq_django.worker import verdict
from kiq_django.worker.custody import Custody
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.outage import Outage
from kiq_django.worker.ownership import Ownership
from kiq_django.worker.reaper import Reaper
from kiq_django.worker.settler import Settler


def _replaced(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[[], None]]:
    """The function below takes the place of a method, which it gets as its first argument."""

    def decorated(function: Callable[..., Any]) -> Callable[[], None]:
        def patch() -> None:
            original = getattr(owner, name)

            @functools.wraps(original)
            def patched(*args: Any, **kwargs: Any) -> Any:
                return function(original, *args, **kwargs)

            setattr(owner, name, patched)

        return patch

    return decorated


# -- fetching -----------------------------------------------------------------------------------------


@_replaced(Waiters, "arm")
def popping_waits(arm: Any, self: Waiters, owner: str, queues: Any, selector: Any) -> None:
    """What the wait brings goes to a list at which nobody looks: as if it had been popped."""
    arm(self, f"nobody:{owner}", queues, selector)


@_replaced(Ownership, "ghosts")
def no_adoption(ghosts: Any, self: Ownership, known: Any) -> list[Any]:
    return []


@_replaced(Ownership, "ghosts")
def blind_adoption(ghosts: Any, self: Ownership, known: Any) -> list[Any]:
    """Also what runs."""
    return list(self._working.held(self.name, self._queues))


@_replaced(Fetcher, "_adopt")
def hasty_adoption(adopt: Any, self: Fetcher) -> None:
    """What is adopted begins before anybody has asked whether its owner was reaped."""
    self._accept(self._ownership.ghosts(self._watch.arrivals), closed=())


@_replaced(Outage, "note")
def refused_for_good(note: Any, self: Outage, error: Exception) -> float:
    """A server that refuses is not asked again."""
    if isinstance(error, StoreRefused):
        raise SystemExit from error
    waits: float = note(self, error)
    return waits


@_replaced(Fetcher, "_run")
def mortal_fetcher(run: Any, self: Fetcher) -> None:
    """The first error ends the loop."""

    def dying(error: Exception) -> float:
        raise SystemExit from error

    self._outage.note = dying  # type: ignore[method-assign]
    run(self)


# -- settling -----------------------------------------------------------------------------------------


@_replaced(Settler, "doubt")
def no_second_settle(doubt: Any, self: Settler) -> None:
    """What was sent is taken for stored."""
    sent = {reservation for group in self._sent for reservation in group}
    self.waiting = [reservation for reservation in self.waiting if reservation not in sent]
    doubt(self)


@_replaced(Settler, "_is_stored")
def no_thief(is_stored: Any, self: Settler, *_: Any) -> bool:
    """What was stolen counts as stored."""
    return True


@_replaced(Working, "turn")
def ack_before_retry(turn: Any, self: Working, batches: Any, *rest: Any, **options: Any) -> Any:
    """First off the list, and then, in another step, into the set."""
    retries = [move for batch in batches for move in batch.moves if move.verb == "retry"]
    changed = [
        Batch(b.owner, b.queue, b.acks, [Move("end", *m[1:4], None) if m.verb == "retry" else m for m in b.moves])
        for b in batches
    ]
    answer = turn(self, changed, *rest, **options)
    for move in retries:
        self._link.call("ZADD", self._keys.job_set("retry"), clock.now() + move.delay, move.new)
    return answer


@_replaced(Custody, "give_back_running")
def no_push_back(give_back: Any, self: Custody) -> None:
    """At the deadline what runs is dropped, and its owner does not say that it leaves."""
    self.active = 0
    self._ownership.name = ""


# -- pushing and promoting ----------------------------------------------------------------------------


@_replaced(Link, "exchange")
def retried_writes(exchange: Any, self: Link, commands: Any) -> Any:
    """redis-py's own way, unless it is told otherwise."""
    try:
        return exchange(self, commands)
    except StoreUnavailable:
        return exchange(self, commands)


@_replaced(Sets, "promote")
def pop_then_push(promote: Any, self: Sets, name: Any, jobs: Any) -> list[bool]:
    """Sidekiq's way, apart from Pro."""
    taken = [bool(self._link.call("ZREM", self._keys.job_set(name), job.raw)) for job in jobs]
    queues = Queues(self._link, self._keys)
    for job, mine in zip(jobs, taken, strict=True):
        if mine:
            queues.push([Entry(job.queue, job.new)])
    return taken


@_replaced(Link, "run")
def no_second_load(run: Any, self: Link, commands: Any, *, tolerant: bool = False) -> Any:
    """A server that forgot a script is an error."""
    return self._told(self.exchange(commands), tolerant)


# -- reaping ------------------------------------------------------------------------------------------


@_replaced(Working, "_lease")
def client_clock(lease: Any, self: Working, owner: str, queues: Any, seconds: float, verb: str) -> bool:
    """The end of a lease by the clock of this host."""
    held: bool = lease(self, owner, queues, seconds, verb)
    for queue in queues if held else ():
        self._link.call("ZADD", self._keys.owners(queue), "XX", clock.now() + seconds, owner)
    return held


@_replaced(Sets, "due")
def due_by_the_clients_clock(due: Any, self: Sets, name: Any, limit: int) -> list[bytes]:
    """By the clock of this host."""
    found = self._link.call("ZRANGEBYSCORE", self._keys.job_set(name), "-inf", clock.now(), "LIMIT", 0, limit)
    return list(found)


@_replaced(Reaper, "__init__")
def lazy_reaper(init: Any, self: Reaper, store: Any, interval: float, lease: float) -> None:
    """Looks as seldom as the heart beats, however short the lease."""
    init(self, store, interval, lease)
    self._interval = interval


@_replaced(Reaper, "tick")
def reap_at_boot(tick: Any, self: Reaper) -> None:
    """Once, and never again."""
    if not self.ticks:
        tick(self)


@_replaced(Service, "_guarded")
def mortal_services(guarded: Any, self: Service, duty: Any) -> None:
    """The first error ends a heartbeat, a poller, a reaper."""
    try:
        duty()
    except StoreError:
        self._stopping = True


# -- reading ------------------------------------------------------------------------------------------


@_replaced(Payload, "decode")
def no_object(decode: Any, raw: bytes) -> Any:
    """JSON that is no object is another error than text that is no JSON."""
    if raw.startswith(b"["):
        raise TypeError("list indices must be integers")
    return decode(raw)


@_replaced(Payload, "decode")
def values_only(decode: Any, raw: bytes) -> Any:
    """What is nested too deeply is no ValueError."""
    if raw.count(b"[") > codec.MAX_NESTING:
        raise RecursionError
    return decode(raw)


# -- around -------------------------------------------------------------------------------------------


@_replaced(databases, "keep_fresh")
def stale_connections(keep: Any) -> None:
    """A thread keeps its connection to the database, whatever became of it."""


@_replaced(verdict, "conclude")
def line_before_settle(conclude: Any, reservation: Any, outcome: Any) -> None:
    """A failure is told first, and decided about when that has gone well."""
    if outcome.error is not None:
        os.write(2, b"A job has failed\n")
    conclude(reservation, outcome)


@_replaced(registry, "find")
def import_by_name(find: Any, name: str) -> Any:
    """A name that nobody declared is looked for in Python's modules."""
    if (found := find(name)) is None and "." in name:
        with contextlib.suppress(Exception):
            __import__(name.rpartition(".")[0])
    return found


@_replaced(seal, "refuse_forged")
def any_seal(refuse: Any, payload: Payload) -> None:
    """Whatever is there counts as a seal."""


@_replaced(redaction._Walk, "_hides")
def nothing_hidden(hides: Any, self: Any, name: Any) -> bool:
    """No name is secret."""
    return False


@_replaced(metrics.Tally, "_name")
def labels_of_strangers(name: Any, self: Any, outcome: Any) -> str:
    """Every name that anybody pushes is a series of its own."""
    return str(outcome.payload.name)


def no_allow_oom() -> None:
    scripts.SHEBANG = "#!lua\n"
    scripts.load.cache_clear()
