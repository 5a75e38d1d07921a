"""What each kind of program needs of Redis, and nothing more: the table behind `manage.py kiq acl`.

Redis 7 and Valkey know users with several *selectors*, each some commands on some keys; a command passes when one of
them allows it. EVALSHA asks for reading and writing of all keys of a script, whatever the script does with them, so who
only reads has the keys in full, and no command that writes.

A test compares the table with the code: each command that the store or a script names stands here, and no other.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from kiq_django.exceptions import ConfigurationError
from kiq_django.store.keys import Keys

Access = Literal["", "R", "W"]
"""`W`: may write, and read nothing back; empty: both."""

CONNECT: Final = (
    "hello",
    "ping",
    "select",
    "client|setname",
    "client|id",
    "multi",
    "exec",
    "discard",
    "info",
    "time",
    "wait",
    "cluster|slots",
    "asking",
)
"""On no key. INFO is in `@dangerous`, because it says much about a server; the check against eviction wants it."""
READ: Final = (
    "eval", "evalsha", "exists", "hexists", "hget", "hgetall", "hlen", "hmget", "lindex", "llen", "lpos", "lrange",
    "mget", "pttl", "scard", "sismember", "smembers", "type", "zcard", "zcount", "zrange", "zrangebyscore", "zrevrange",
    "zrevrangebyscore", "zscore",
)  # fmt: skip
PUSH: Final = ("lpush", "sadd", "zadd", "wait")
"""WAIT is on no key: it holds up who sends it, until replicas have what was pushed."""
RESULTS: Final = ("eval", "evalsha", "exists", "hgetall", "lrange", "wait")
ONCE: Final = ("expire", "lpush", "sadd", "set", "zadd")
"""What `push.lua` does behind `around/once.lua`."""
ENTER: Final = ("expire", "hset", "lpush", "ltrim", "rpush", "sadd", "zadd")
"""What `enter.lua` does."""
ACT: Final = (
    "del", "expire", "hdel", "hincrby", "hset", "hsetnx", "lmove", "lpush", "lrem", "lset", "mset", "rpush", "sadd",
    "set", "srem", "unlink", "zadd", "zrem", "zremrangebyrank", "zremrangebyscore",
)  # fmt: skip
"""What people do: retry, kill, delete, move, pause, clear, signal a process, mark a deploy, reset totals."""
WORK: Final = (*ACT, "bitfield", "blmove", "get", "incr", "incrby", "ltrim", "rpop", "wait", "zincrby")
NOTE: Final = ("del", "expire", "hset", "set")
"""What a page keeps of what it has counted."""
UNBLOCK: Final = ("client|unblock",)
"""Ends a pending fetch; in `@dangerous`, since it may end anybody's. Without it the connection is closed instead."""

ENGINES: Final = frozenset(
    {
        *("served", "owners", "working", "recovered", "suspect_out", "suspect_turn"),
        *("process", "work", "workers", "iteration"),
    }
)
"""Keys that workers alone write to."""
COUNTS: Final = frozenset({"groups", "groups_guard"})

SHAPES: Final[Mapping[tuple[str, str], str]] = {
    **{(kind, "identity"): "*:[0-9]*:*" for kind in ("process", "work", "workers", "signals")},
    **{(kind, "minute"): "[0-9]*-[0-9]*:[0-9]*" for kind in ("run_histogram_7", "run_histogram_8")},
    ("marks", "day"): "[0-9]*",
}
"""What a part of a key looks like, where Sidekiq puts nothing before it that tells it apart."""

_SPECIAL = re.compile(r"[*?\[\]\\]")


@dataclass(frozen=True, slots=True)
class Grant:
    """Commands, on keys of some kinds."""

    commands: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    """Names of methods of `Keys`; `job_set:schedule` is that of one value alone."""
    access: Access = ""

    def rules(self, keys: Keys) -> list[str]:
        """In Redis' words, keys first."""
        sign = f"%{self.access}~" if self.access else "~"
        patterns = sorted({pattern for kind in self.kinds for pattern in patterns_of(kind, keys)})
        return [*(f"{sign}{pattern}" for pattern in patterns), *(f"+{command}" for command in self.commands)]


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of program."""

    name: str
    duty: str
    grants: tuple[Grant, ...]
    """The first is the user's own, the others are selectors."""

    def rules(self, keys: Keys) -> list[str]:
        """What follows the name of the user in `ACL SETUSER`. Its password, and whether it is on, stay as they are."""
        own, *others = (grant.rules(keys) for grant in self.grants)
        selectors = [f"({' '.join(rules)})" for rules in others]
        return ["resetkeys", "resetchannels", "-@all", "clearselectors", *own, *selectors]


def kinds() -> frozenset[str]:
    """All kinds of keys."""
    return frozenset(name for name, found in vars(Keys).items() if inspect.isfunction(found) and name[0] != "_")


def patterns_of(kind: str, keys: Keys) -> set[str]:
    """What the keys of one kind look like, with the prefix taken by its letters."""
    name, _, only = kind.partition(":")
    function = getattr(Keys(_SPECIAL.sub(r"\\\g<0>", keys.prefix)), name)
    found: set[tuple[str, ...]] = {()}
    for parameter in inspect.signature(function).parameters.values():
        values = get_args(parameter.annotation) or (SHAPES.get((name, parameter.name), "*"),)
        if parameter.default == "":
            values = (*values, "")
        found = {(*each, value) for each in found for value in values if not only or found != {()} or value == only}
    return {function(*arguments) for arguments in found}


def roles() -> Iterator[Role]:
    """From the least to the most."""
    every = kinds()
    pushing = Grant(PUSH, frozenset({"queues", "queue", "job_set:schedule"}), "W")
    reading = (Grant((*CONNECT, *READ), every), Grant(NOTE, COUNTS))
    acting = Grant(ACT, every - ENGINES)
    yield Role("producer", "enqueues jobs, and sees none", (Grant(CONNECT), pushing))
    yield Role("outbox", "enqueues jobs by way of an outbox, too", (Grant(CONNECT), pushing, *_of_outboxes()))
    yield Role("tasks", "enqueues tasks of django.tasks, and asks for their results", _of_tasks())
    yield Role("dashboard-read", "shows everything, and changes nothing", reading)
    yield Role("dashboard-write", "shows everything, and does what people do", (*reading, acting))
    yield Role("worker", "runs jobs, and enqueues more", (Grant((*CONNECT, *UNBLOCK, *READ, *WORK), every),))


def _of_outboxes() -> tuple[Grant, ...]:
    """What a push notes so that a second one does nothing."""
    noted = frozenset({"queues", "queue", "job_set:schedule", "delivered"})
    return Grant(("eval", "evalsha"), noted), Grant(ONCE, noted)


def _of_tasks() -> tuple[Grant, ...]:
    """Their place by priority depends on what waits, so that they are pushed by a script, which reads."""
    entered = frozenset({"queues", "queue", "job_set:schedule", "job"})
    return Grant((*CONNECT, *RESULTS), entered | {"process"}), Grant(ENTER, entered)


def line(role: Role, prefix: str, user: str) -> str:
    """The command for a role, on one line, as `redis-cli` reads it.

    Raises:
        ConfigurationError: the prefix of the keys, or the name of the user, has a character that would end a word.
    """
    for text in (prefix, user):
        if any(character.isspace() or character in "\"'()" for character in text):
            raise ConfigurationError(
                f"{text!r} cannot stand in a rule of Redis: it has white space, a quote or a bracket"
            )
    return " ".join(("ACL SETUSER", user, *role.rules(Keys(prefix))))
