"""The real scripts in the place of the model's: on a scratch server, through the methods of the store.

The server is set to a state, one call is made, and what came of it is read back. As a script depends on nothing but
what is stored and its arguments, each pair of state and call is tried once, however often a world comes by.
"""

from collections.abc import Callable
from typing import Any

from kiq_django.store import Store
from kiq_django.store.queues import Entry
from kiq_django.store.sets import Promotion
from kiq_django.store.suspects import LET_OUT, Out
from kiq_django.store.working import Batch, Move
from tests.chaos.model.redis import ENDED, LIVE, REAPED, Call, Redis, Scripts, again

QUEUE = "default"
LONG = 1000
"""Seconds: a lease that does not end during a test."""


class Disagreement(AssertionError):
    """The model and the real scripts come to different ends."""


class RealScripts:
    """What the model asks of Redis, asked of a real one."""

    def __init__(self, store: Store, tried: dict[tuple[Redis, Call], tuple[Redis, Any]] | None = None) -> None:
        """`tried` holds what is known already, and what will be."""
        self._store = store
        self._tried = {} if tried is None else tried

    def run(self, redis: Redis, call: Call) -> tuple[Redis, Any]:
        """One call on a state: the state after it, and the answer."""
        found = self._tried.get((redis, call))
        if found is None:
            self._write(redis)
            name, *arguments = call
            method: Callable[..., Any] = getattr(self, f"_{name}")
            answer = method(*arguments)
            found = self._tried[redis, call] = self._read(), answer
        return found

    # -- calls ------------------------------------------------------------------------------------

    def _push(self, raw: str) -> None:
        self._store.queues.push([Entry(QUEUE, raw.encode())])

    def _register(self, owner: str) -> None:
        self._store.working.register(owner, [QUEUE], LONG)

    def _renew(self, owner: str) -> bool:
        return self._store.working.renew(owner, [QUEUE], LONG)

    def _retire(self, owner: str) -> int:
        return self._store.working.retire(owner, [QUEUE])

    def _reserve(self, owner: str, room: int) -> tuple[str, ...] | None:
        turn = self._store.working.turn([], owner, [QUEUE], room)
        return None if turn.reaped else tuple(raw.decode() for _, raw in turn.taken)

    def _serve(self, owner: str) -> str | None:
        keys = self._store.keys
        names = (keys.queue(QUEUE), keys.working(QUEUE, owner))
        raw = self._store.link.call("BLMOVE", *names, "RIGHT", "LEFT", 0.001)
        return raw and raw.decode()

    def _settle(self, owner: str, ends: tuple[tuple[str, str], ...]) -> str:
        batch = Batch(owner, QUEUE, [raw.encode() for verb, raw in ends if verb == "ack"])
        for verb, raw in ends:
            if verb == "retry":
                batch.moves.append(Move("retry", raw.encode(), 0, again(raw).encode()))
            elif verb == "back":
                batch.moves.append(Move("requeue", raw.encode(), 0, raw.encode()))
        [marks] = self._store.working.turn([batch], owner, [], 0).settled
        order = [end for end in ends if end[0] == "ack"] + [end for end in ends if end[0] != "ack"]
        found = dict(zip(order, marks.decode(), strict=True))
        return "".join(found[end] for end in ends)

    def _lrange(self, owner: str) -> tuple[str, ...]:
        return tuple(raw.decode() for _, raw in reversed(self._store.working.held(owner, [QUEUE])))

    def _expired(self) -> tuple[str, ...]:
        return tuple(sorted(owner for _, owner in self._store.working.expired([QUEUE])))

    def _reclaim(self, owner: str, raws: tuple[str, ...]) -> str | None:
        jobs = [(raw.encode(), raw[0], raw.encode()) for raw in raws]
        return self._store.working.reclaim(QUEUE, owner, jobs)

    def _isolate(self, owner: str, raws: tuple[str, ...]) -> int:
        return self._store.suspects.isolate(QUEUE, owner, [(raw.encode(), raw[0]) for raw in raws], LONG)

    def _let_out(self, out: str, owners: tuple[str, ...]) -> bool:
        known = Out(out.encode(), QUEUE, owners) if out else Out()
        return self._store.suspects._try(QUEUE, known) == LET_OUT

    def _due(self) -> tuple[str, ...]:
        return tuple(sorted(raw.decode() for raw in self._store.sets.due("retry", 100)))

    def _promote(self, raws: tuple[str, ...]) -> str:
        jobs = [Promotion(raw.encode(), QUEUE, raw.encode()) for raw in raws]
        return "".join(str(int(moved)) for moved in self._store.sets.promote("retry", jobs))

    # -- states -----------------------------------------------------------------------------------

    def _write(self, redis: Redis) -> None:
        keys = self._store.keys
        now = self._now()
        ends = {LIVE: now + LONG, ENDED: now - 10, REAPED: -(now - 10)}
        commands: list[tuple[Any, ...]] = [("FLUSHDB",)]
        commands += [("RPUSH", keys.queue(QUEUE), *redis.queue)] if redis.queue else []
        commands += [("RPUSH", keys.working(QUEUE, owner), *raws) for owner, raws in redis.working]
        commands += [("ZADD", keys.owners(QUEUE), ends[lease], owner) for owner, lease in redis.owners]
        commands += [("ZADD", keys.job_set("retry"), now - 10, raw) for raw in redis.retry]
        commands += [("ZADD", keys.job_set("dead"), now - 10, raw) for raw in redis.dead]
        commands += [("RPUSH", keys.suspects(QUEUE), *redis.suspects)] if redis.suspects else []
        commands += [("HSET", keys.suspect_out(), "queue", QUEUE, "raw", redis.out)] if redis.out else []
        commands += [("SET", keys.recovered(QUEUE, job), times, "EX", 1000) for job, times in redis.recovered]
        self._store.link.send(commands)

    def _read(self) -> Redis:
        keys, call = self._store.keys, self._store.link.call
        names = {name.decode() for name in call("KEYS", "*")} - {keys.queues(), keys.served()}
        texts: dict[str, tuple[str, ...]] = {}
        for name in names - {keys.owners(QUEUE)}:
            kind = call("TYPE", name)
            commands = {
                b"list": ("LRANGE", name, 0, -1),
                b"zset": ("ZRANGE", name, 0, -1),
                b"string": ("MGET", name),
                b"hash": ("HMGET", name, "raw"),
            }
            texts[name] = tuple(text.decode() for text in call(*commands[kind]))
        working, recovered = keys.working(QUEUE, ""), keys.recovered(QUEUE, "")
        redis = Redis(
            queue=texts.pop(keys.queue(QUEUE), ()),
            retry=tuple(sorted(texts.pop(keys.job_set("retry"), ()))),
            dead=tuple(sorted(texts.pop(keys.job_set("dead"), ()))),
            owners=tuple(sorted((owner, self._lease(end)) for owner, end in self._store.working.owners(QUEUE).items())),
            working=tuple(sorted((n.removeprefix(working), texts.pop(n)) for n in names if n.startswith(working))),
            suspects=texts.pop(keys.suspects(QUEUE), ()),
            out="".join(texts.pop(keys.suspect_out(), ())),
            recovered=tuple(sorted((n.removeprefix(recovered), int(*texts.pop(n))) for n in names if recovered in n)),
        )
        assert not texts, f"keys that nobody expects: {texts}"
        return redis

    def _lease(self, end: float) -> str:
        if end < 0:
            return REAPED
        return LIVE if end > self._now() else ENDED

    def _now(self) -> float:
        seconds, microseconds = self._store.link.call("TIME")
        return int(seconds) + int(microseconds) / 1_000_000


class Both:
    """The model and the real scripts side by side: they must never differ."""

    def __init__(self, real: RealScripts) -> None:
        self._real = real
        self._model = Scripts()

    def run(self, redis: Redis, call: Call) -> tuple[Redis, Any]:
        """One call on both."""
        modelled, real = self._model.run(redis, call), self._real.run(redis, call)
        if modelled != real:
            raise Disagreement(f"{call} on {redis}\n  the model: {modelled}\n  really:    {real}")
        return real
