"""What the figures of a server mean: is it fit to keep jobs?"""

from collections.abc import Callable, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import conf
from kiq_django.api.points import Level, Point, bad, good, manage, unknown
from kiq_django.api.redis_box import RedisBox
from kiq_django.api.wording import figure, megabytes
from kiq_django.exceptions import StoreError
from kiq_django.store.errors import Trouble, classify

SLOW = 0.05
"""Seconds of a round trip that deserve a warning; Sidekiq's figure."""
CLOCK_WARN, CLOCK_ERROR = 1.0, 60.0
"""Seconds that a clock may be off the server's."""
NEARLY_FULL = 0.8
"""Share of `maxmemory`."""


def judge(box: RedisBox) -> list[Point]:
    """One point for each of: server, role, persistence, eviction, memory, clock, round trip."""
    return [check(box) for check in CHECKS]


def absence(error: StoreError) -> Point:
    """Why the server cannot even be read. The error itself says more, in English."""
    texts: dict[Trouble, str] = {
        "away": _("Redis cannot be reached"),
        "loading": _("Redis is loading its data"),
        "readonly": _("Redis is a replica that has lost its master"),
        "auth": _("Redis refuses the user, the password or the permission"),
    }
    trouble = classify(error.__cause__ or error)
    text = texts.get(trouble, _("Redis answers with an error"))
    return bad("error", f"redis_{trouble}", text, remedy=str(error), command=manage("kiq", "doctor"))


def refusal(box: RedisBox) -> Point | None:
    """Why the server takes no writes, when it takes none: then nothing moves, or nothing comes in."""
    server = box.server
    if server.refuses == "misconf":
        remedy = _("See the server's log: a full disk, or a directory that it may not write")
        return bad("error", "redis_misconf", _("Redis takes no writes: it cannot save its data to disk"), remedy=remedy)
    if server.refuses == "full":
        remedy = _("Give it more memory, or let workers drain the queues")
        words = {"used": megabytes(server.used_memory or 0), "limit": megabytes(server.maxmemory or 0)}
        text = _("Redis is full, and takes no new jobs: %(used)s of %(limit)s used") % words
        return bad("error", "redis_full", text, remedy=remedy)
    if server.read_only:
        remedy = _("Point KIQ['REDIS'] at the master, or at the sentinels")
        return bad("error", "redis_readonly", _("Redis takes no writes: it is a replica"), remedy=remedy)
    if server.refuses == "readonly":
        text = _("Redis takes no writes: replicas in sync: %(count)s of %(wanted)s that it demands") % {
            "count": server.replicas_in_sync or 0,
            "wanted": server.replicas_needed or 0,
        }
        return bad("error", "redis_replicas", text, remedy=_("Start its replicas, or lower min-replicas-to-write"))
    return None


def _server(box: RedisBox) -> Point:
    server = box.server
    words = {"server": " ".join((server.product.capitalize(), server.version_text)).strip(), "mode": server.mode}
    code = "redis_server"
    if server.is_too_old:
        return bad("error", code, _("%(server)s is too old") % words, remedy=_("Use Redis 6.2 or later, or Valkey"))
    if server.mode == "cluster" and box.kind != "cluster":
        remedy = _("Use one server, or Sentinel") + """, or KIQ['REDIS'] = {"url": ..., "cluster": True}"""
        return bad("error", code, _("%(server)s in cluster mode") % words, remedy=remedy)
    return good(code, _("%(server)s, %(mode)s") % words if server.mode else str(words["server"]))


def _role(box: RedisBox) -> Point:
    server, code = box.server, "redis_role"
    if server.role == "slave":
        remedy = _("Point KIQ['REDIS'] at the master")
        return bad("error", code, _("a replica, which takes no jobs"), remedy=remedy)
    text = server.role or _("unknown")
    if not server.replicas:
        return good(code, text)
    replicas = ngettext("%(count)s replica", "%(count)s replicas", server.replicas) % {"count": server.replicas}
    text = _("%(role)s, %(replicas)s") % {"role": text, "replicas": replicas}
    missing = server.replicas - (server.replicas if server.replicas_in_sync is None else server.replicas_in_sync)
    if missing <= 0:
        return good(code, text)
    text = _("%(role)s, not in sync: %(count)s") % {"role": text, "count": missing}
    return bad("warn", code, text, remedy=_("See the replica's log: a failover now would lose jobs"))


def _persistence(box: RedisBox) -> Point:
    server, code = box.server, "redis_persistence"
    if False in (server.last_save_ok, server.last_aof_write_ok):
        remedy = _("See the server's log: a full disk?")
        return bad("error", code, _("the last write to disk failed"), remedy=remedy)
    if server.aof:
        return good(code, _("append-only file and snapshots") if server.snapshots else _("append-only file"))
    if server.snapshots:
        text = _("snapshots alone: a crash loses jobs of the last minutes")
        return bad("warn", code, text, remedy=_("Set appendonly yes: a crash loses at most a second then"))
    if server.aof is None or server.snapshots is None:
        return unknown(code, _("the server does not tell"), remedy=_("Make sure that it keeps data on disk"))
    text = _("none: a restart of the server loses all jobs")
    return bad("warn", code, text, remedy=_("Set appendonly yes"))


def _eviction(box: RedisBox) -> Point:
    server, code = box.server, "redis_eviction"
    policy = server.maxmemory_policy or _("unknown")
    if server.evicts:
        level: Level = "warn" if conf.get().worker.allow_eviction else "error"
        text = _("a full server throws jobs away (maxmemory-policy %(policy)s)") % {"policy": policy}
        return bad(level, code, text, remedy=_("Set maxmemory-policy noeviction"))
    if server.evicts is None:
        remedy = _("Make sure that maxmemory-policy is noeviction")
        return unknown(code, _("the server does not tell"), remedy=remedy)
    return good(code, policy)


def _memory(box: RedisBox) -> Point:
    server, code = box.server, "redis_memory"
    used = megabytes(server.used_memory or 0)
    if not server.maxmemory:
        return good(code, _("%(used)s used, no limit") % {"used": used})
    text = _("%(used)s of %(limit)s used") % {"used": used, "limit": megabytes(server.maxmemory)}
    if (server.memory_share or 0) > NEARLY_FULL:
        return bad("warn", code, text, remedy=_("Raise maxmemory, or let workers drain the queues"))
    return good(code, text)


def _clock(box: RedisBox) -> Point:
    text = _("%(offset)s s from the server's clock") % {"offset": f"{box.clock_offset:+.3f}"}
    if box.clock_error < CLOCK_WARN:
        return good("clock", text)
    level: Level = "error" if box.clock_error >= CLOCK_ERROR else "warn"
    return bad(level, "clock", text, remedy=_("Let NTP set the clocks: scheduled jobs run by the server's"))


def _round_trip(box: RedisBox) -> Point:
    text = _("%(time)s ms") % {"time": figure(box.round_trip * 1000, 2)}
    if box.round_trip > SLOW:
        remedy = _("Bring Redis nearer: every fetch waits for it")
        return bad("warn", "redis_round_trip", text, remedy=remedy)
    return good("redis_round_trip", text)


CHECKS: Sequence[Callable[[RedisBox], Point]] = (
    _server,
    _role,
    _persistence,
    _eviction,
    _memory,
    _clock,
    _round_trip,
)
