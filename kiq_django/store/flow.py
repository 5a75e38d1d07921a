"""What leaves each queue: runs that ended, and jobs that were taken out otherwise, by minute and ten minutes.

Together with the sizes of `store/sizes.py` that tells what came in, without a counter where jobs are pushed:
in = out + growth.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.steps import MINUTE, TEN_MINUTES, Step

EXPIRY: Mapping[Step, int] = {MINUTE: 80 * 60, TEN_MINUTES: 9 * 3600}
"""Seconds after the last write. A thousand busy queues cost 100 kB a step."""


class Out(NamedTuple):
    """What left one queue within a step."""

    ended: int = 0
    """Runs that ended, by the workers of this program."""
    removed: int = 0
    """Jobs that were deleted or moved elsewhere."""


class Flow:
    """Counters of one Redis. Steps go by their begin, in epoch seconds."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def write(self, pipe: Any, ended: Mapping[int, Mapping[str, int]]) -> None:
        """Have a pipeline add runs that ended: by the begin of their minute, and by queue."""
        for minute, queues in ended.items():
            self._add(pipe, minute, {f"o|{queue}": count for queue, count in queues.items()})

    def removed(self, queue: str, count: int, now: float) -> None:
        """Count jobs that somebody took out of a queue without running them, so that they do not count as "not come".

        Raises:
            StoreError: it may be counted or not. What came in is then told as unknown for a while, or too low.
        """
        pipe = self._link.pipeline()
        self._add(pipe, now, {f"x|{queue}": count})
        self._link.execute(pipe)

    def read(self, queues: Sequence[str], step: Step, begins: Sequence[int]) -> list[dict[str, Out]]:
        """What left these queues in each step, in one round trip."""
        fields = [f"{kind}|{queue}" for queue in queues for kind in ("o", "x")]
        pipe = self._link.pipeline()
        for begin in begins:
            pipe.hmget(self._keys.flow(step.bucket(begin)), fields)
        replies = self._link.execute(pipe) if fields else [[] for _ in begins]
        return [dict(zip(queues, map(_out, reply[::2], reply[1::2]), strict=True)) for reply in replies]

    def _add(self, pipe: Any, moment: float, amounts: Mapping[str, int]) -> None:
        for step, expiry in EXPIRY.items():
            key = self._keys.flow(step.bucket(moment))
            for field, amount in amounts.items():
                pipe.hincrby(key, field, amount)
            pipe.expire(key, expiry)


def _out(ended: bytes | None, removed: bytes | None) -> Out:
    return Out(_number(ended), _number(removed))


def _number(text: bytes | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
