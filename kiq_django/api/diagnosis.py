"""Is all well? Everything that can be found out without running a job, each with what to do about it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Literal

from kiq_django import clock, conf, plugins
from kiq_django import store as stores
from kiq_django.api.processes import ProcessSet
from kiq_django.api.queues import Queue
from kiq_django.exceptions import ConfigurationError, StoreError
from kiq_django.store import Store
from kiq_django.store.connections import ServerInfo
from kiq_django.version import __version__

Level = Literal["ok", "warn", "error"]

SLOW_US = 50_000
"""Microseconds of a round trip that deserve a warning; Sidekiq's figure."""
PINGS = 5
CLOCK_WARN, CLOCK_ERROR = 1.0, 60.0
"""Seconds that this host's clock may be off the server's."""
NEARLY_FULL = 0.9
PACKAGES = {"django": "django", "redis": "redis-py", "hiredis": "hiredis", "orjson": "orjson"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    level: Level
    text: str
    remedy: str = ""
    """What to do; empty when there is nothing to do."""


def diagnose() -> list[Finding]:
    """Software, settings, and, where they name a Redis that answers, the server and the workers."""
    try:
        conf.get()
    except ConfigurationError as error:
        return [*software(), Finding("settings", "error", str(error), "Correct KIQ in the settings")]
    return [*software(), *configuration(), *_redis()]


def software() -> list[Finding]:
    """Versions of what we run on."""
    found = [Finding("kiq_django", "ok", __version__), Finding("python", "ok", python_version())]
    for package, topic in PACKAGES.items():
        number = _version(package)
        found.append(Finding(topic, "ok", number or "not installed (for more speed: pip install 'kiq-django[fast]')"))
    return found


def configuration() -> list[Finding]:
    """What of `KIQ` matters most.

    Raises:
        ConfigurationError: it cannot be used.
    """
    settings = conf.get()
    adapter = Finding("adapter", "ok", settings.adapter)
    return [adapter, Finding("queues", "ok", f"{', '.join(settings.queues)} (KIQ['QUEUES'])"), _features()]


def _features() -> Finding:
    try:
        return Finding("features", "ok", ", ".join(feature.name for feature in plugins.features()) or "none")
    except ConfigurationError as error:
        return Finding("features", "error", str(error))


def server(store: Store) -> list[Finding]:
    """What the server promises: version, role, persistence, eviction, memory, clock, distance."""
    try:
        info = store.link.info()
        facts = [check(info) for check in CHECKS]
        return [_connection(store), *facts, _memory(store, info), _clock_offset(store), _round_trip(store)]
    except StoreError as error:
        return [Finding("connection", "error", str(error))]


def workers(store: Store) -> list[Finding]:
    """Who works, and which queues wait in vain."""
    processes = list(ProcessSet(store))
    busy = sum(process.busy for process in processes)
    threads = sum(process.concurrency for process in processes)
    if processes:
        found = [Finding("processes", "ok", f"{len(processes)}, {busy} of {threads} threads busy")]
    else:
        found = [Finding("processes", "warn", "no worker runs", "Start one: manage.py runworker")]
    served = {queue for process in processes if not process.is_quiet for queue in process.queues}
    return [*found, *_idle_queues(store, served)]


def _redis() -> list[Finding]:
    try:
        store = stores.get()
    except (ConfigurationError, StoreError) as error:
        return [Finding("connection", "error", str(error))]
    found = server(store)
    return found if found[0].level == "error" else [*found, *workers(store)]


def _connection(store: Store) -> Finding:
    prefix = f", keys begin with {store.keys.prefix!r}" if store.keys.prefix else ""
    return Finding("connection", "ok", f"{store.target} ({store.target.kind}){prefix}")


def _server(info: ServerInfo) -> Finding:
    text = " ".join((info.product.capitalize(), info.version_text)).strip()
    if info.is_too_old:
        return Finding("server", "error", f"{text} is too old", "Use Redis 6.2 or later, or Valkey")
    if info.mode == "cluster":
        return Finding("server", "error", f"{text} in cluster mode", "Use one server, or Sentinel")
    return Finding("server", "ok", f"{text}, {info.mode}" if info.mode else text)


def _role(info: ServerInfo) -> Finding:
    if info.role == "slave":
        return Finding("role", "error", "a replica, which takes no jobs", "Point KIQ['REDIS'] at the master")
    replicas = f", {info.replicas} replicas" if info.replicas else ""
    return Finding("role", "ok", f"{info.role or 'unknown'}{replicas}")


def _persistence(info: ServerInfo) -> Finding:
    if False in (info.last_save_ok, info.last_aof_write_ok):
        return Finding("persistence", "error", "the last write to disk failed", "See the server's log: a full disk?")
    if info.aof:
        return Finding("persistence", "ok", "append-only file" + (" and snapshots" if info.snapshots else ""))
    if info.snapshots:
        remedy = "Set appendonly yes: a crash loses at most a second then"
        return Finding("persistence", "warn", "snapshots alone: a crash loses jobs of the last minutes", remedy)
    if info.aof is None or info.snapshots is None:
        return Finding("persistence", "warn", "the server does not tell", "Make sure that it keeps data on disk")
    return Finding("persistence", "warn", "none: a restart of the server loses all jobs", "Set appendonly yes")


def _eviction(info: ServerInfo) -> Finding:
    policy = info.maxmemory_policy or "unknown"
    if info.evicts:
        level: Level = "warn" if conf.get().worker.allow_eviction else "error"
        text = f"a full server throws jobs away (maxmemory-policy {policy})"
        return Finding("eviction", level, text, "Set maxmemory-policy noeviction")
    if info.evicts is None:
        return Finding("eviction", "warn", "the server does not tell", "Make sure that maxmemory-policy is noeviction")
    return Finding("eviction", "ok", policy)


CHECKS: Sequence[Callable[[ServerInfo], Finding]] = (_server, _role, _persistence, _eviction)


def _memory(store: Store, info: ServerInfo) -> Finding:
    used = int(store.link.call("INFO", "memory").get("used_memory", 0))
    if not info.maxmemory:
        return Finding("memory", "ok", f"{_megabytes(used)} used, no limit")
    text = f"{_megabytes(used)} of {_megabytes(info.maxmemory)} used"
    if used > NEARLY_FULL * info.maxmemory:
        return Finding("memory", "warn", text, "Raise maxmemory, or let workers drain the queues")
    return Finding("memory", "ok", text)


def _clock_offset(store: Store) -> Finding:
    before = clock.now()
    seconds, microseconds = store.link.call("TIME")
    here = (before + clock.now()) / 2
    offset = here - (seconds + microseconds / 1e6)
    text = f"{offset:+.3f} s from the server's clock"
    if abs(offset) < CLOCK_WARN:
        return Finding("clock", "ok", text)
    level: Level = "error" if abs(offset) >= CLOCK_ERROR else "warn"
    return Finding("clock", level, text, "Let NTP set the clocks: scheduled jobs run by the server's")


def _round_trip(store: Store) -> Finding:
    took = sorted(store.processes.ping() for _ in range(PINGS))[PINGS // 2]
    text = f"{took / 1000:.2f} ms"
    if took > SLOW_US:
        return Finding("round trip", "warn", text, "Bring Redis nearer: every fetch waits for it")
    return Finding("round trip", "ok", text)


def _idle_queues(store: Store, served: set[str]) -> Iterator[Finding]:
    for queue in Queue.summaries(store):
        topic = f"queue {queue.name}"
        if queue.paused:
            by = queue.pause_note.get("by") or "another program"
            reason = queue.pause_note.get("reason")
            text = f"paused by {by}" + (f": {reason}" if reason else "") + f"; jobs that wait: {queue.size:,}"
            yield Finding(topic, "warn", text, f"manage.py kiq resume {queue.name}")
        elif queue.size and queue.name not in served:
            text = f"no worker serves it; jobs that wait: {queue.size:,}"
            yield Finding(topic, "warn", text, f"manage.py runworker -q {queue.name}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _megabytes(amount: int) -> str:
    return f"{amount / 1_048_576:,.1f} MB"
