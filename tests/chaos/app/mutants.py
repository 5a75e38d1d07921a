"""The product with one bug each: most of them were shipped somewhere once. A test suite that is worth its time tells.

`KIQ_CHAOS_MUTANT=no_fence` brings one into the workers of this folder's tests, and into the tests' own process.
"""

import functools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiq_django import clock
from kiq_django.exceptions import StoreError, StoreUnavailable
from kiq_django.payload import Payload
from kiq_django.service import Service
from kiq_django.store import scripts
from kiq_django.store.link import Link
from kiq_django.store.queues import Entry, Queues
from kiq_django.store.sets import Sets
from kiq_django.store.waiters import Waiters
from kiq_django.store.working import Batch, Move, Working
from kiq_django.worker.custody import Custody
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.ownership import Ownership
from kiq_django.worker.reaper import Reaper
from kiq_django.worker.settler import Settler

Edit = tuple[str, str, str]
"""Name of a script, a text in it, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug."""

    caught_by: str
    """Arguments for pytest: the tests of which one at least must fail."""
    edits: Sequence[Edit] = ()
    patch: Callable[[], None] | None = None


MODEL = "test_model.py -k"
TROUBLE = "test_trouble.py -k"


def bring(name: str) -> None:
    """Let this process have a bug from now on.

    Raises:
        LookupError: a script no longer has the text that is to be changed, or there is no such bug.
    """
    mutant = MUTANTS[name]
    if mutant.edits:
        _edit(mutant.edits)
    if mutant.patch:
        mutant.patch()


def _edit(edits: Sequence[Edit]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="kiq")) / "lua"
    shutil.copytree(scripts.FOLDER, folder)
    for script, old, new in edits:
        path = folder / f"{script}.lua"
        text = path.read_text()
        if old not in text:
            raise LookupError(f"{script}.lua has no {old!r} any more: give the mutant another text")
        path.write_text(text.replace(old, new, 1))
    scripts.FOLDER = folder
    scripts.load.cache_clear()


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
def _popping_waits(arm: Any, self: Waiters, owner: str, queues: Any, selector: Any) -> None:
    """What the wait brings goes to a list at which nobody looks: as if it had been popped."""
    arm(self, f"nobody:{owner}", queues, selector)


@_replaced(Ownership, "ghosts")
def _no_adoption(ghosts: Any, self: Ownership, known: Any) -> list[Any]:
    return []


@_replaced(Ownership, "ghosts")
def _blind_adoption(ghosts: Any, self: Ownership, known: Any) -> list[Any]:
    """Also what runs."""
    return list(self._working.held(self.name, self._queues))


@_replaced(Fetcher, "_run")
def _mortal_fetcher(run: Any, self: Fetcher) -> None:
    """The first error ends the loop."""

    def dying(error: Exception) -> float:
        raise SystemExit from error

    self._outage.note = dying  # type: ignore[method-assign]
    run(self)


# -- settling -----------------------------------------------------------------------------------------


@_replaced(Settler, "doubt")
def _no_second_settle(doubt: Any, self: Settler) -> None:
    """What was sent is taken for stored."""
    sent = {reservation for group in self._sent for reservation in group}
    self.waiting = [reservation for reservation in self.waiting if reservation not in sent]
    doubt(self)


@_replaced(Settler, "_is_stored")
def _no_thief(is_stored: Any, self: Settler, *_: Any) -> bool:
    """What was stolen counts as stored."""
    return True


@_replaced(Working, "turn")
def _ack_before_retry(turn: Any, self: Working, batches: Any, *rest: Any) -> Any:
    """First off the list, and then, in another step, into the set."""
    retries = [move for batch in batches for move in batch.moves if move.verb == "retry"]
    changed = [
        Batch(b.owner, b.queue, b.acks, [Move("end", *m[1:4], None) if m.verb == "retry" else m for m in b.moves])
        for b in batches
    ]
    answer = turn(self, changed, *rest)
    for move in retries:
        self._link.call("ZADD", self._keys.job_set("retry"), clock.now() + move.delay, move.new)
    return answer


@_replaced(Custody, "give_back_running")
def _no_push_back(give_back: Any, self: Custody) -> None:
    """At the deadline what runs is dropped, and its owner does not say that it leaves."""
    self.active = 0
    self._ownership.name = ""


# -- pushing and promoting ----------------------------------------------------------------------------


@_replaced(Link, "exchange")
def _retried_writes(exchange: Any, self: Link, commands: Any) -> Any:
    """redis-py's own way, unless it is told otherwise."""
    try:
        return exchange(self, commands)
    except StoreUnavailable:
        return exchange(self, commands)


@_replaced(Sets, "promote")
def _pop_then_push(promote: Any, self: Sets, name: Any, jobs: Any) -> list[bool]:
    """Sidekiq's way, apart from Pro."""
    taken = [bool(self._link.call("ZREM", self._keys.job_set(name), job.raw)) for job in jobs]
    queues = Queues(self._link, self._keys)
    for job, mine in zip(jobs, taken, strict=True):
        if mine:
            queues.push([Entry(job.queue, job.new)])
    return taken


@_replaced(Link, "run")
def _no_second_load(run: Any, self: Link, commands: Any, *, tolerant: bool = False) -> Any:
    """A server that forgot a script is an error."""
    return self._told(self.exchange(commands), tolerant)


# -- reaping ------------------------------------------------------------------------------------------


@_replaced(Working, "_lease")
def _client_clock(lease: Any, self: Working, owner: str, queues: Any, seconds: float, verb: str) -> bool:
    """The end of a lease by the clock of this host."""
    held: bool = lease(self, owner, queues, seconds, verb)
    for queue in queues if held else ():
        self._link.call("ZADD", self._keys.owners(queue), "XX", clock.now() + seconds, owner)
    return held


@_replaced(Reaper, "tick")
def _reap_at_boot(tick: Any, self: Reaper) -> None:
    """Once, and never again."""
    if not self.ticks:
        tick(self)


@_replaced(Service, "_guarded")
def _mortal_services(guarded: Any, self: Service, duty: Any) -> None:
    """The first error ends a heartbeat, a poller, a reaper."""
    try:
        duty()
    except StoreError:
        self._stopping = True


# -- reading ------------------------------------------------------------------------------------------


@_replaced(Payload, "decode")
def _no_object(decode: Any, raw: bytes) -> Any:
    """JSON that is no object is another error than text that is no JSON."""
    if raw.startswith(b"["):
        raise TypeError("list indices must be integers")
    return decode(raw)


def _no_allow_oom() -> None:
    scripts.SHEBANG = "#!lua\n"
    scripts.load.cache_clear()


MUTANTS: dict[str, Mutant] = {
    "pop_fetch": Mutant(
        f"{MODEL} promise", [("reserve", "redis.call('LPUSH', working, unpack(taken, 2))", "")], _popping_waits
    ),
    "popping_waits": Mutant("test_crash.py -k waiting", patch=_popping_waits),
    "no_adoption": Mutant(f"{TROUBLE} 'answers and reserve'", patch=_no_adoption),
    "blind_adoption": Mutant(f"{TROUBLE} 'answers and reserve'", patch=_blind_adoption),
    "no_fence": Mutant(f"{MODEL} promise", [("settle", "== 1", ">= 0")]),
    "ack_before_retry": Mutant("test_crash.py -k inside_retry", patch=_ack_before_retry),
    "no_second_settle": Mutant(f"{TROUBLE} 'answers and settle'", patch=_no_second_settle),
    "no_thief": Mutant(f"{TROUBLE} sleeper", patch=_no_thief),
    "reserve_for_the_reaped": Mutant(f"{MODEL} promise", [("reserve", "if lease < 0 then", "if false then")]),
    "front_is_back": Mutant(f"{MODEL} promise", [("reclaim", "redis.call('RPUSH'", "redis.call('LPUSH'")]),
    "no_second_look": Mutant(f"{MODEL} promise", [("reclaim", "return -1", "lease = lease")]),
    "forgetful_reaper": Mutant(
        f"{MODEL} promise",
        [
            (
                "reclaim",
                "redis.call('ZADD', KEYS[1], string.format('%.6f', -now), ARGV[1])",
                "redis.call('ZREM', KEYS[1], ARGV[1])",
            )
        ],
    ),
    "resurrection": Mutant(f"{MODEL} promise", [("lease", "or lease >= 0", "or true")]),
    "forgetful_retirement": Mutant(
        f"{MODEL} promise",
        [("retire", "redis.call('ZADD', KEYS[i], reaped, ARGV[1])", "redis.call('ZREM', KEYS[i], ARGV[1])")],
    ),
    "no_look_at_the_reaped": Mutant(f"{MODEL} promise", [("expired", "'-inf'", "'0'")]),
    "recoveries_do_not_count": Mutant(f"{MODEL} promise", [("reclaim", "redis.call('INCR', counter)", "1")]),
    "promotion_without_removal_check": Mutant(f"{MODEL} promise", [("promote", "if mine == 1 then", "if true then")]),
    "pop_then_push": Mutant("test_crash.py -k inside_promote", patch=_pop_then_push),
    "retried_writes": Mutant(f"{TROUBLE} push", patch=_retried_writes),
    "client_clock": Mutant(f"{TROUBLE} clock", patch=_client_clock),
    "reap_at_boot": Mutant(f"{TROUBLE} killed", patch=_reap_at_boot),
    "mortal_services": Mutant(f"{TROUBLE} 'answers and promote'", patch=_mortal_services),
    "mortal_fetcher": Mutant(f"{TROUBLE} 'answers and settle'", patch=_mortal_fetcher),
    "no_allow_oom": Mutant(f"{TROUBLE} full", patch=_no_allow_oom),
    "no_second_load": Mutant(f"{TROUBLE} scripts", patch=_no_second_load),
    "no_push_back": Mutant(f"{TROUBLE} stop", patch=_no_push_back),
    "no_object": Mutant("test_crash.py -k after_beat", patch=_no_object),
}
