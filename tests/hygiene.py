"""What may lie in Redis: keys that `store/keys.py` knows, and no others."""

import fnmatch
import re
from functools import cache
from typing import Any

import redis

from kiq_django.store import acl
from kiq_django.store.keys import Keys


@cache
def known(prefix: str = "") -> re.Pattern[str]:
    """All keys of ours, with Sidekiq's."""
    keys = Keys(prefix)
    patterns = {pattern for kind in acl.kinds() for pattern in acl.patterns_of(kind, keys)}
    return re.compile("|".join(fnmatch.translate(re.sub(r"\\(.)", r"[\1]", pattern)) for pattern in sorted(patterns)))


def strangers(url: str, prefix: str = "") -> list[str]:
    """Keys of a server that nobody knows, sorted. Asked by its owner, who may be somebody else than our code."""
    with redis.Redis.from_url(url) as client:
        names = [name.decode(errors="backslashreplace") for name in client.keys("*")]
    tag = re.compile(rf"(?<=^{re.escape(prefix)})\{{[^}}]*\}}:")  # of a cluster's slot
    return sorted(name for name in names if not known(prefix).match(tag.sub("", name)))


def lasting(client: Any) -> set[str]:
    """Keys that stay for ever, the lists of jobs apart, which are there as long as there are jobs."""
    names = client.keys("*")
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.ttl(name)
        pipe.type(name)
    answers = iter(pipe.execute())
    found = zip(names, answers, answers, strict=True)
    return {name.decode() for name, ttl, kind in found if ttl == -1 and kind != b"list"}
