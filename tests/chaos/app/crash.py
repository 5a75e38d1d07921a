"""Every step of the protocol, as a place at which a process can be killed without a word."""

import os
import threading
from collections.abc import Callable
from typing import Any

from kiq_django.exceptions import StoreUnavailable
from kiq_django.store.counters import Counters
from kiq_django.store.link import Link
from kiq_django.store.processes import Processes
from kiq_django.store.sets import Sets
from kiq_django.store.suspects import Suspects
from kiq_django.store.waiters import Waiters
from kiq_django.store.working import Working
from kiq_django.worker import verdict
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.ownership import Ownership
from kiq_django.worker.processor import Processor

KILLED = 137
"""What a shell says of a process that SIGKILL ended."""

Condition = Callable[..., Any]
Install = Callable[[Callable[[], None]], None]


def arm(step: str, count: str = "1") -> None:
    """Kill this process when it comes to a step for the `count`-th time."""
    left = int(count)
    lock = threading.Lock()

    def strike() -> None:
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                os._exit(KILLED)

    STEPS[step](strike)


def _before(owner: Any, name: str, when: Condition = lambda *args, **kwargs: True) -> Install:
    """At the call of a method, if its arguments fulfil a condition."""

    def install(strike: Callable[[], None]) -> None:
        original = getattr(owner, name)

        def patched(*args: Any, **kwargs: Any) -> Any:
            if when(*args, **kwargs):
                strike()
            return original(*args, **kwargs)

        setattr(owner, name, patched)

    return install


def _after(owner: Any, name: str, when: Condition = lambda answer, *args, **kwargs: True) -> Install:
    """At the return of a method, if its answer and its arguments fulfil a condition."""

    def install(strike: Callable[[], None]) -> None:
        original = getattr(owner, name)

        def patched(*args: Any, **kwargs: Any) -> Any:
            answer = original(*args, **kwargs)
            if when(answer, *args, **kwargs):
                strike()
            return answer

        setattr(owner, name, patched)

    return install


def _inside(owner: Any, name: str, when: Condition = lambda *args, **kwargs: True) -> Install:
    """Between the first request of a method, if its arguments fulfil a condition, and whatever may follow."""

    def install(strike: Callable[[], None]) -> None:
        inside = threading.local()
        original = getattr(owner, name)

        def patched(*args: Any, **kwargs: Any) -> Any:
            inside.now = when(*args, **kwargs)
            try:
                return original(*args, **kwargs)
            finally:
                inside.now = False

        setattr(owner, name, patched)
        for request in ("exchange", "call", "execute"):
            _after(Link, request, lambda *_: getattr(inside, "now", False))(strike)

    return install


def _settles(working: Any, batches: Any, *_: Any, **__: Any) -> bool:
    return bool(batches)


def _moves(verb: str) -> Condition:
    def asked(working: Any, batches: Any, *_: Any, **__: Any) -> bool:
        return any(move.verb == verb for batch in batches for move in batch.moves)

    return asked


def _then(condition: Condition) -> Condition:
    """The same condition after a call."""
    return lambda answer, *args, **kwargs: condition(*args, **kwargs)


def _has_taken(turn: Any, *_: Any, **__: Any) -> bool:
    return bool(turn.taken)


def _between_two_scripts(strike: Callable[[], None]) -> None:
    """The ends are settled, and nothing is reserved: the request was cut in the middle."""
    original = Link.exchange

    def exchange(self: Link, commands: Any) -> Any:
        if len(commands) > 1 and commands[0][0] == "EVALSHA":
            original(self, commands[:1])
            strike()
        return original(self, commands)

    Link.exchange = exchange  # type: ignore[method-assign]


def _before_the_answer(strike: Callable[[], None]) -> None:
    """A turn was sent, and its answer comes to nobody."""
    original = Link.exchange

    def exchange(self: Link, commands: Any) -> Any:
        if len(commands) > 1 and commands[0][0] == "EVALSHA":
            with self._connection() as connection:
                connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                strike()
                return [connection.read_response() for _ in commands]
        return original(self, commands)

    Link.exchange = exchange  # type: ignore[method-assign]


def _adopting(strike: Callable[[], None]) -> None:
    """The answer of a fetch was lost; then what it had brought is found."""
    turn = Working.turn
    lost = threading.Event()

    def patched(self: Working, *args: Any, **kwargs: Any) -> Any:
        answer = turn(self, *args, **kwargs)
        if answer.taken and not lost.is_set():
            lost.set()
            raise StoreUnavailable("The answer is lost.")
        return answer

    Working.turn = patched  # type: ignore[method-assign]
    _after(Ownership, "ghosts", lambda found, *_: found)(strike)


STEPS: dict[str, Install] = {
    "before_register": _before(Working, "register"),
    "after_register": _after(Working, "register"),
    "after_reserve": _after(Working, "turn", _has_taken),
    "before_settle": _before(Working, "turn", _settles),
    "after_settle": _after(Working, "turn", _then(_settles)),
    "between_two_scripts": _between_two_scripts,
    "before_the_answer": _before_the_answer,
    "before_retry": _before(Working, "turn", _moves("retry")),
    "after_retry": _after(Working, "turn", _then(_moves("retry"))),
    "inside_retry": _inside(Working, "turn", _moves("retry")),
    "before_bury": _before(Working, "turn", _moves("bury")),
    "after_bury": _after(Working, "turn", _then(_moves("bury"))),
    "while_waiting": _after(Waiters, "arm", lambda _, waiters, *args: len(waiters)),
    "after_waiting": _after(Waiters, "receive", lambda raw, *args: raw is not None),
    "adopting": _adopting,
    "before_run": _before(Processor, "_process"),
    "after_run": _before(verdict, "conclude"),
    "before_hand_back": _before(Fetcher, "finish"),
    "after_due": _after(Sets, "due", lambda found, *args: found),
    "before_promote": _before(Sets, "promote"),
    "after_promote": _after(Sets, "promote"),
    "inside_promote": _inside(Sets, "promote"),
    "before_transfer": _before(Sets, "transfer"),
    "after_transfer": _after(Sets, "transfer"),
    "after_expired": _after(Working, "leases", lambda found, *args: found[0]),
    "after_left_behind": _after(Working, "left_behind", lambda found, *args: found),
    "inside_reclaim": _inside(Working, "reclaim"),
    "before_reclaim": _before(Working, "reclaim"),
    "after_reclaim": _after(Working, "reclaim"),
    "before_isolate": _before(Suspects, "isolate"),
    "after_isolate": _after(Suspects, "isolate", lambda number, *args, **kwargs: number),
    "inside_let_out": _inside(Suspects, "let_out"),
    "after_let_out": _after(Suspects, "let_out", lambda queue, *args: queue),
    "before_renew": _before(Working, "renew"),
    "after_renew": _after(Working, "renew"),
    "before_beat": _before(Processes, "beat"),
    "after_beat": _after(Processes, "beat"),
    "before_totals": _before(Counters, "add_totals"),
    "after_totals": _after(Counters, "add_totals"),
}
"""While a worker works."""
LAST_STEPS: dict[str, Install] = {
    "before_requeue": _before(Working, "turn", _moves("requeue")),
    "after_requeue": _after(Working, "turn", _then(_moves("requeue"))),
    "inside_requeue": _inside(Working, "turn", _moves("requeue")),
    "before_retire": _before(Working, "retire"),
    "after_retire": _after(Working, "retire"),
    "before_leave": _before(Processes, "leave"),
    "after_leave": _after(Processes, "leave"),
}
"""While a worker stops."""
STEPS |= LAST_STEPS
