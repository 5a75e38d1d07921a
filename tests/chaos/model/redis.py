"""Redis as our scripts see it: a value, and one pure function a script.

A payload is two characters: the job's id and the number of its attempt, `a0`. Scores are left out: what is in
the retry set is due.
"""

from typing import Any, NamedTuple

LIVE, ENDED, REAPED = "live", "ended", "reaped"
RECOVERIES_THAT_ISOLATE, RECOVERIES_THAT_KILL = 2, 3

Call = tuple[Any, ...]
"""Name of a function below, and its arguments."""


class Redis(NamedTuple):
    """Everything that is stored. The head of a list is the newest; the tail of the queue is fetched next."""

    queue: tuple[str, ...] = ()
    working: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """By owner; empty lists do not exist."""
    owners: tuple[tuple[str, str], ...] = ()
    """Owner and the state of its lease."""
    retry: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    recovered: tuple[tuple[str, int], ...] = ()
    """By job."""
    suspects: tuple[str, ...] = ()
    """The tail is let out next."""
    out: str = ""
    """The suspect that was let out."""

    def held(self, owner: str) -> tuple[str, ...]:
        """The working list of an owner."""
        return dict(self.working).get(owner, ())

    def lease(self, owner: str) -> str:
        """The state of an owner's lease; of nobody's it is as if it had been reaped."""
        return dict(self.owners).get(owner, REAPED)

    @property
    def places(self) -> list[str]:
        """The id of each payload, once for each place where it lies."""
        listed = [raw for _, raws in self.working for raw in raws]
        return [raw[0] for raw in (*self.queue, *listed, *self.retry, *self.dead, *self.suspects)]

    def with_list(self, owner: str, raws: tuple[str, ...]) -> "Redis":
        return self._replace(working=_put(self.working, owner, raws or None))

    def with_lease(self, owner: str, lease: str | None) -> "Redis":
        return self._replace(owners=_put(self.owners, owner, lease))


class Scripts:
    """What the scripts do. `bugs` are those that were seeded."""

    def __init__(self, bugs: frozenset[str] = frozenset()) -> None:
        self._bugs = bugs

    def run(self, redis: Redis, call: Call) -> tuple[Redis, Any]:
        """One call, and its answer."""
        name, *arguments = call
        answer: tuple[Redis, Any] = getattr(self, name)(redis, *arguments)
        return answer

    # -- clients ----------------------------------------------------------------------------------

    def push(self, redis: Redis, raw: str) -> tuple[Redis, None]:
        """To the back of the queue."""
        return redis._replace(queue=(raw, *redis.queue)), None

    # -- owners -----------------------------------------------------------------------------------

    def register(self, redis: Redis, owner: str) -> tuple[Redis, None]:
        return redis.with_lease(owner, LIVE), None

    def renew(self, redis: Redis, owner: str) -> tuple[Redis, bool]:
        if redis.lease(owner) == REAPED:
            return redis, False
        return redis.with_lease(owner, LIVE), True

    def retire(self, redis: Redis, owner: str) -> tuple[Redis, int]:
        """Answers how many jobs stay behind."""
        lease = None if "the retired are forgotten" in self._bugs else REAPED
        return redis.with_lease(owner, lease), len(redis.held(owner))

    def reserve(self, redis: Redis, owner: str, room: int) -> tuple[Redis, tuple[str, ...] | None]:
        """Answers what was taken, the next to run first; None to an owner that may take nothing."""
        if redis.lease(owner) == REAPED and "the reaped may reserve" not in self._bugs:
            return redis, None
        kept = max(0, len(redis.queue) - room)
        taken = redis.queue[kept:][::-1]
        redis = redis._replace(queue=redis.queue[:kept])
        if "pop fetch" not in self._bugs:
            redis = redis.with_list(owner, taken[::-1] + redis.held(owner))
        return redis, taken

    def serve(self, redis: Redis, owner: str) -> tuple[Redis, str | None]:
        """A blocked fetch comes to its job: the server asks for nobody's lease."""
        if not redis.queue:
            return redis, None
        *rest, raw = redis.queue
        redis = redis._replace(queue=tuple(rest))
        return (redis if "pop fetch" in self._bugs else redis.with_list(owner, (raw, *redis.held(owner)))), raw

    def settle(self, redis: Redis, owner: str, ends: tuple[tuple[str, str], ...]) -> tuple[Redis, str]:
        """Verb and payload of each; answers 1 for each that was still this owner's."""
        answer = ""
        for verb, raw in ends:
            listed = redis.held(owner)
            mine = raw in listed
            if mine:
                redis = redis.with_list(owner, _without_last(listed, raw))
            if mine or "no fence" in self._bugs or "pop fetch" in self._bugs:
                redis = _end(redis, verb, raw)
            answer += str(int(mine))
        return redis, answer

    def write_retry(self, redis: Redis, raw: str) -> tuple[Redis, None]:
        """Only the bug `ack before retry` asks for this."""
        return _end(redis, "retry", raw), None

    def lrange(self, redis: Redis, owner: str) -> tuple[Redis, tuple[str, ...]]:
        """The working list, the newest first."""
        return redis, redis.held(owner)

    # -- reaper -----------------------------------------------------------------------------------

    def expired(self, redis: Redis) -> tuple[Redis, tuple[str, ...]]:
        """Owners whose lease has ended; reaped ones only while something is on their list."""
        return redis, tuple(
            owner for owner, lease in redis.owners if lease == ENDED or (lease == REAPED and redis.held(owner))
        )

    def isolate(self, redis: Redis, owner: str, raws: tuple[str, ...]) -> tuple[Redis, int]:
        """The newest first. Answers how many were set apart: those to which that happens for the second time."""
        if redis.lease(owner) == LIVE:
            return redis, 0
        redis = redis.with_lease(owner, REAPED)
        apart = 0
        for raw in raws:
            times = dict(redis.recovered).get(raw[0], 0) + 1
            listed = redis.held(owner)
            if times == RECOVERIES_THAT_ISOLATE and raw in listed:
                redis = redis.with_list(owner, _without_first(listed, raw))
                recovered = _put(redis.recovered, raw[0], times)
                redis = redis._replace(recovered=recovered, suspects=(*redis.suspects, raw))
                apart += 1
        return redis, apart

    def let_out(self, redis: Redis, out: str, owners: tuple[str, ...]) -> tuple[Redis, bool]:
        """The next one, when the one that is out lies neither on the queue nor with these owners, and no others came.
        Answers whether.
        """
        is_there = redis.out != out or any(out in raws for raws in (redis.queue, *map(redis.held, owners)))
        is_there = is_there or (out != "" and any(owner not in owners for owner, _ in redis.owners))
        if is_there and redis.out and "suspects run together" not in self._bugs:
            return redis, False
        redis = redis if is_there else redis._replace(out="")
        if not redis.suspects:
            return redis, False
        *rest, raw = redis.suspects
        return redis._replace(suspects=tuple(rest), queue=(*redis.queue, raw), out=raw), True

    def reclaim(self, redis: Redis, owner: str, raws: tuple[str, ...]) -> tuple[Redis, str | None]:
        """The newest first. Answers 1 for each that went back, 2 buried, 0 gone; None when the lease is in force."""
        if redis.lease(owner) == LIVE and "no second look at the lease" not in self._bugs:
            return redis, None
        redis = redis.with_lease(owner, None if "reaped owners are forgotten" in self._bugs else REAPED)
        answer = ""
        for raw in raws:
            listed = redis.held(owner)
            gone = raw not in listed
            if gone and "back before off" not in self._bugs:
                answer += "0"
                continue
            redis = redis.with_list(owner, _without_first(listed, raw))
            redis, fate = self._recover(redis, raw)
            answer += fate
        return redis, answer

    def _recover(self, redis: Redis, raw: str) -> tuple[Redis, str]:
        times = dict(redis.recovered).get(raw[0], 0) + ("recoveries are not counted" not in self._bugs)
        is_poison = times >= RECOVERIES_THAT_KILL
        redis = redis._replace(recovered=_put(redis.recovered, raw[0], None if is_poison else times or None))
        if is_poison:
            return redis._replace(dead=_add(redis.dead, raw)), "2"
        return redis._replace(queue=(*redis.queue, raw)), "1"

    # -- poller -----------------------------------------------------------------------------------

    def due(self, redis: Redis) -> tuple[Redis, tuple[str, ...]]:
        return redis, redis.retry

    def promote(self, redis: Redis, raws: tuple[str, ...]) -> tuple[Redis, str]:
        """To the back of the queue; answers 1 for each that was still in the set."""
        answer = ""
        for raw in raws:
            mine = raw in redis.retry
            if mine or "promotes what is gone" in self._bugs:
                redis = redis._replace(retry=_without_last(redis.retry, raw), queue=(raw, *redis.queue))
            answer += str(int(mine))
        return redis, answer

    def pop_due(self, redis: Redis) -> tuple[Redis, str | None]:
        """Only the bug `pop then push` asks for this."""
        if not redis.retry:
            return redis, None
        return redis._replace(retry=redis.retry[1:]), redis.retry[0]


def _end(redis: Redis, verb: str, raw: str) -> Redis:
    """What is written for the end of a job."""
    if verb == "retry":
        return redis._replace(retry=_add(redis.retry, again(raw)))
    if verb == "back":
        return redis._replace(queue=(*redis.queue, raw))
    return redis


def again(raw: str) -> str:
    """The payload of the next attempt."""
    return f"{raw[0]}{int(raw[1]) + 1}"


def _put(pairs: tuple[tuple[str, Any], ...], key: str, value: Any) -> tuple[tuple[str, Any], ...]:
    """Pairs as of a sorted dict; None takes one out."""
    changed = dict(pairs)
    changed.pop(key, None)
    if value is not None:
        changed[key] = value
    return tuple(sorted(changed.items()))


def _add(members: tuple[str, ...], raw: str) -> tuple[str, ...]:
    return tuple(sorted({*members, raw}))


def _without_first(raws: tuple[str, ...], raw: str) -> tuple[str, ...]:
    return raws if raw not in raws else raws[: raws.index(raw)] + raws[raws.index(raw) + 1 :]


def _without_last(raws: tuple[str, ...], raw: str) -> tuple[str, ...]:
    return _without_first(raws[::-1], raw)[::-1]
