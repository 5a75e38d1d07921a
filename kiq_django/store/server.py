"""Which server answers, and what it promises: product, version, eviction, persistence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    """Ask the server. Where INFO is forbidden (it is in `@dangerous`), HELLO must do; absent fields are None.

    Raises:
        redis.ConnectionError, redis.TimeoutError: the server is away.
    """
    info = _info(client)
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
        snapshots=_snapshots(client),
        last_save_ok=_ok(info.get("rdb_last_bgsave_status")),
        last_aof_write_ok=_ok(info.get("aof_last_write_status")),
    )


def _info(client: "redis.Redis") -> Mapping[str, Any]:
    try:
        return dict(client.info())
    except redis.ResponseError:
        return _hello(client)


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


def _snapshots(client: "redis.Redis") -> bool | None:
    """`CONFIG GET save`; managed servers forbid or lack it."""
    try:
        found = client.config_get("save")
    except redis.ResponseError:
        return None
    return bool(found["save"]) if "save" in found else None


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int) or str(value).isdigit() else None


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(int(value))


def _ok(value: Any) -> bool | None:
    return None if value is None else value == "ok"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
