"""What is wrong with worker processes as such."""

from collections import Counter
from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from kiq_django.api.crews import Member
from kiq_django.api.points import Level, Point, bad, process_links
from kiq_django.api.redis_points import CLOCK_ERROR, CLOCK_WARN
from kiq_django.api.situation import Situation
from kiq_django.api.wording import listed
from kiq_django.durations import human

DEPLOY = 600
"""Seconds after the latest start in which processes may differ: a deploy replaces them one after the other."""


def clocks(situation: Situation) -> Iterator[Point]:
    """Whose clock is off the server's: this host's, or a worker's."""
    workers = {member.name: member.clock_offset for member in situation.members}
    off = {name: offset for name, offset in workers.items() if abs(offset) >= CLOCK_WARN}
    if situation.box.clock_error >= CLOCK_WARN:
        off = {_("this host"): situation.box.clock_offset, **off}
    if off:
        texts = [_offset(name, offset) for name, offset in off.items()]
        text = _("clocks differ from the server's: %(clocks)s") % {"clocks": listed(texts)}
        links = process_links(each.process.identity for each in situation.members if each.name in off)
        remedy = _("Let NTP set the clocks: by them people read how long something waits")
        level: Level = "error" if max(map(abs, off.values())) >= CLOCK_ERROR else "warn"
        yield bad(level, "clock", text, *links, remedy=remedy)


def _offset(name: str, offset: float) -> str:
    words = {"host": name, "duration": human(abs(offset))}
    return _("%(host)s is %(duration)s ahead") % words if offset > 0 else _("%(host)s is %(duration)s behind") % words


def unresponsive(members: Sequence[Member]) -> Iterator[Point]:
    """Who has missed beats, one by one."""
    for member in members:
        if member.is_unresponsive:
            words = {"name": member.name, "duration": human(member.silence), "count": member.process.busy}
            text = _("process %(name)s is unresponsive: last heard of %(duration)s ago, running jobs: %(count)s")
            remedy = _("Look at its host; its jobs come back to their queues once its lease has ended")
            yield bad("error", "unresponsive", text % words, ("process", member.process.identity), remedy=remedy)


def mixed(situation: Situation) -> Iterator[Point]:
    """Workers of ours of several versions, or of several tags on one queue, for longer than a deploy takes."""
    ours = [member for member in situation.members if member.is_ours]
    if not ours or situation.now - max(member.process.started_at for member in ours) < DEPLOY:
        return
    versions = Counter(member.process.version for member in ours)
    tags = Counter(member.process.tag for member in _sharing(ours))
    remedy = _("Restart those that a deploy left behind")
    if len(versions) > 1:
        text = _("workers of several versions run: %(versions)s") % {"versions": _counted(versions)}
        yield bad("warn", "mixed_versions", text, ("processes", ""), remedy=remedy)
    if len(tags) > 1:
        text = _("workers with several tags serve the same queue: %(tags)s") % {"tags": _counted(tags)}
        yield bad("warn", "mixed_tags", text, ("processes", ""), remedy=remedy)


def _sharing(members: Sequence[Member]) -> list[Member]:
    """Those that share a queue with one of another tag: programs of their own may share a server."""
    tags: dict[str, set[str]] = {}
    for member in members:
        for queue in member.process.queues:
            tags.setdefault(queue, set()).add(member.process.tag)
    return [member for member in members if any(len(tags[queue]) > 1 for queue in member.process.queues)]


def _counted(found: Counter[str]) -> str:
    return listed([f"{name or '-'} ({count})" for name, count in found.most_common()])
