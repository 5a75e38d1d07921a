"""What lies in Redis, seen at one moment."""

from typing import Any

from kiq_django.store import Store

LEFT = """
local left = redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[2])
for _, pattern in ipairs(ARGV) do
  for _, name in ipairs(redis.call('KEYS', pattern)) do
    left = left + redis.call('LLEN', name)
  end
end
return left
"""


def left(store: Store) -> int:
    """Jobs that lie anywhere but in the dead set. In one step: a job on its way between two places is in one."""
    keys = store.keys
    sets = (keys.job_set("schedule"), keys.job_set("retry"))
    lists = (keys.queue("*"), f"{keys.prefix}kiq:working:*", keys.suspects("*"))
    found: int = store.link.call("EVAL", LEFT, 2, *sets, *lists)
    return found


def held(store: Store) -> list[bytes]:
    """What lies on working lists of any owner."""
    names: list[Any] = store.link.call("KEYS", f"{store.keys.prefix}kiq:working:*")
    return [raw for name in names for raw in store.link.call("LRANGE", name, 0, -1)]
