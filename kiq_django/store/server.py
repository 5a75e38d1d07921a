"""Which server answers, and what it promises: product, version, eviction, persistence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import redis

OLDEST_REDIS = (6, 2)
"""The first version with LMOVE and BLMOVE."""
NAMES = {
    "dragonfly": "dragonfly_version",
    "valkey": "valkey_version",
    "kvrocks": "kvrocks_version",
    "garnet": "garnet_version",
}
"""Products by the INFO field that only they have. All of them report a `redis_version` too."""
MOST_LAG: Final = 10
"""Seconds since a replica last answered; Redis' own default of `min-replicas-max-lag`."""
SYNCED: Final = frozenset({"online", "stable_sync"})
"""States of a replica that is connected and has all data, in the words of Redis and of Dragonfly."""
OPTIONS: Final = ("save", "stop-writes-on-bgsave-error", "min-replicas-to-write")
"""What CONFIG GET is asked for, one by one: several at once is for Redis 7 and later."""

Refusal = Literal["readonly", "misconf", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """Facts about a server. None means that it does not say (INFO or CONFIG forbidden, or unknown to it)."""

    product: str
    """`redis`, `valkey`, `dragonfly`, `keydb`, `kvrocks`, `garnet`, or `unknown`."""
    version: tuple[int, ...]
    """Of the product; empty when unknown."""
    mode: str | None = None
    """`standalone`, `cluster` or `sentinel`."""
    role: str | None = None
    """`master` or `slave`, in the server's words."""
    replicas: int | None = None
    maxmemory: int | None = None
    """Bytes; 0 is no limit."""
    maxmemory_policy: str | None = None
    evicts: bool | None = None
    """Whether a full server throws keys away, and jobs with them, instead of refusing writes."""
    aof: bool | None = None
    """Whether the append-only file is on."""
    snapshots: bool | None = None
    """Whether it saves RDB snapshots by itself."""
    last_save_ok: bool | None = None
    last_aof_write_ok: bool | None = None
    stops_unsaved: bool | None = None
    """Whether it takes no writes once a snapshot failed (`stop-writes-on-bgsave-error`)."""
    read_only: bool | None = None
    """Whether it is a replica that takes no writes; None for a master."""
    replicas_in_sync: int | None = None
    """Of `replicas`: those that are connected, and not more than `MOST_LAG` behind."""
    replicas_needed: int | None = None
    """Without so many replicas in sync it takes no writes (`min-replicas-to-write`); 0 is the default."""
    used_memory: int | None = None
    """Bytes."""
    uncounted_memory: int | None = None
    """Bytes of `used_memory` that do not count towards `maxmemory`: buffers for replicas and the append-only file."""
    clients: int | None = None
    """Open connections, ours among them."""
    uptime: int | None = None
    """Seconds."""
    evicted_keys: int | None = None
    """Keys that it threw away for lack of memory, since its start."""

    @property
    def memory_share(self) -> float | None:
        """How much of `maxmemory` is used, 1.0 is all of it; None without a limit, or when it does not say."""
        if not self.maxmemory or self.used_memory is None:
            return None
        return (self.used_memory - (self.uncounted_memory or 0)) / self.maxmemory

    @property
    def refuses(self) -> Refusal | None:
        """Why it takes no writes, in the words of `store.errors`; None when it takes them, as far as it tells."""
        if self.read_only or self._lacks_replicas:
            return "readonly"
        if self.last_aof_write_ok is False or (
            self.last_save_ok is False and self.snapshots and self.stops_unsaved is not False
        ):
            return "misconf"
        return "full" if self.evicts is False and (self.memory_share or 0) >= 1 else None

    @property
    def _lacks_replicas(self) -> bool:
        return (self.replicas_in_sync or 0) < (self.replicas_needed or 0)

    @property
    def supports_shebang(self) -> bool:
        """Whether a script may open with `#!lua flags=...`: Redis >= 7.0 and Valkey; elsewhere an error."""
        return self.product == "valkey" or (self.product == "redis" and self.version >= (7,))

    @property
    def is_too_old(self) -> bool:
        """Whether it lacks LMOVE and BLMOVE: Redis before 6.2."""
        return self.product == "redis" and bool(self.version) and self.version < OLDEST_REDIS

    @property
    def version_text(self) -> str:
        """`7.0.15`, or nothing."""
        return ".".join(map(str, self.version))


def server_info(client: "redis.Redis") -> ServerInfo:
    """Ask the server, in one round trip; where INFO is forbidden (it is in `@dangerous`), HELLO must do, in one more.

    Raises:
        redis.ConnectionError, redis.TimeoutError: the server is away.
    """
    told, *options = _ask(client)
    info: Mapping[str, Any] = _hello(client) if isinstance(told, redis.ResponseError) else told
    config = {name: value for found in options if isinstance(found, dict) for name, value in found.items()}
    product, version = _product(info)
    policy = info.get("maxmemory_policy")
    return ServerInfo(
        product=product,
        version=version,
        mode=info.get("redis_mode") or info.get("server_mode"),
        role=info.get("role"),
        replicas=info.get("connected_slaves"),
        maxmemory=_number(info.get("maxmemory")),
        maxmemory_policy=policy,
        evicts=_evicts(info, policy),
        aof=_flag(info.get("aof_enabled")),
        snapshots=bool(config["save"]) if "save" in config else None,
        last_save_ok=_ok(info.get("rdb_last_bgsave_status")),
        last_aof_write_ok=_ok(info.get("aof_last_write_status")),
        stops_unsaved=_yes(config.get("stop-writes-on-bgsave-error")),
        read_only=_flag(info.get("slave_read_only")) if info.get("role") == "slave" else None,
        replicas_in_sync=_in_sync(info),
        replicas_needed=_number(config.get("min-replicas-to-write")),
        used_memory=_number(info.get("used_memory")),
        uncounted_memory=_number(info.get("mem_not_counted_for_evict")),
        clients=_number(info.get("connected_clients")),
        uptime=_number(info.get("uptime_in_seconds")),
        evicted_keys=_number(info.get("evicted_keys")),
    )


def _ask(client: "redis.Redis") -> list[Any]:
    """INFO and the options, each an answer or the error in its place; managed servers forbid or lack CONFIG."""
    pipe = client.pipeline(transaction=False)
    pipe.info()
    for option in OPTIONS:
        pipe.config_get(option)
    replies: list[Any] = pipe.execute(raise_on_error=False)
    return replies


def _hello(client: "redis.Redis") -> Mapping[str, Any]:
    """The little that HELLO says, under INFO's names."""
    try:
        reply = client.execute_command("HELLO", "2")  # type: ignore[no-untyped-call]
    except redis.ResponseError:
        return {}
    said = {_text(name): _text(value) for name, value in zip(reply[::2], reply[1::2], strict=False)}
    return {
        "server_name": said.get("server"),
        "redis_version": said.get("version"),
        "redis_mode": said.get("mode"),
        "role": {"replica": "slave"}.get(said.get("role", ""), said.get("role")),
    }


def _product(info: Mapping[str, Any]) -> tuple[str, tuple[int, ...]]:
    for product, name in NAMES.items():
        if info.get(name):
            return product, _version(info[name])
    version = _version(info.get("redis_version", ""))
    name = str(info.get("server_name") or ("redis" if version else "unknown")).lower()
    return ("keydb" if "keydb" in str(info.get("executable", "")) else name), version


def _version(text: Any) -> tuple[int, ...]:
    """`7.0.15`, `255.255.255` of a development build, Dragonfly's `df-v1.27.1`."""
    found = re.search(r"\d+(?:\.\d+)*", str(text))
    return tuple(map(int, found.group().split("."))) if found else ()


def _evicts(info: Mapping[str, Any], policy: str | None) -> bool | None:
    """By the policy; Dragonfly evicts when it runs as a cache (INFO field `cache_mode`)."""
    if "cache_mode" in info:
        return bool(info["cache_mode"] == "cache")
    return None if policy is None else policy != "noeviction"


def _in_sync(info: Mapping[str, Any]) -> int | None:
    """By the server's own count where it keeps one (for `min-replicas-to-write`), else by `slave0`, `slave1` ...

    Dragonfly counts their lag in entries, not in seconds.
    """
    if "min_slaves_good_slaves" in info:
        return _number(info["min_slaves_good_slaves"])
    replicas = info.get("connected_slaves")
    if not isinstance(replicas, int):
        return None
    found = [info.get(f"slave{number}") for number in range(replicas)]
    by_seconds = "dragonfly_version" not in info
    return sum(
        each.get("state") in SYNCED and (not by_seconds or (_number(each.get("lag")) or 0) <= MOST_LAG)
        for each in found
        if isinstance(each, Mapping)
    )


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int) or str(value).isdigit() else None


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(int(value))


def _yes(value: Any) -> bool | None:
    return None if value is None else value == "yes"


def _ok(value: Any) -> bool | None:
    return None if value is None else value == "ok"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
