"""Is all well? Everything that can be found out without running a job, each with what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from django.utils.translation import gettext as _

from kiq_django import conf, plugins
from kiq_django import store as stores
from kiq_django.api import feature_points, redis_points
from kiq_django.api.points import Level, Point, manage
from kiq_django.api.processes import ProcessSet
from kiq_django.api.queues import Queue, QueueSummary
from kiq_django.api.redis_box import RedisBox
from kiq_django.api.wording import figure
from kiq_django.exceptions import ConfigurationError, StoreError
from kiq_django.store import Store
from kiq_django.version import __version__

__all__ = ["Finding", "Level", "configuration", "diagnose", "server", "software", "workers"]

SAMPLES = 5
"""Round trips by which distance and clock are measured."""
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
        return [*software(), Finding("settings", "error", str(error), _("Correct KIQ in the settings"))]
    return [*software(), *configuration(), *_redis(), *_of_features()]


def software() -> list[Finding]:
    """Versions of what we run on."""
    found = [Finding("kiq_django", "ok", __version__), Finding("python", "ok", python_version())]
    missing = _("not installed (for more speed: pip install 'kiq-django[fast]')")
    return [*found, *(Finding(topic, "ok", _version(package) or missing) for package, topic in PACKAGES.items())]


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
        return Finding("features", "ok", ", ".join(feature.name for feature in plugins.features()) or _("none"))
    except ConfigurationError as error:
        return Finding("features", "error", str(error))


def _of_features() -> list[Finding]:
    try:
        return [*map(_finding, feature_points.find())]
    except ConfigurationError:  # told by `configuration`
        return []


def server(store: Store) -> list[Finding]:
    """What a server promises, or each node of a cluster: version, role, persistence, eviction, memory, distance."""
    try:
        boxes = RedisBox.read_all(store, samples=SAMPLES)
    except StoreError as error:
        return [Finding("connection", "error", str(error))]
    return [finding for box in boxes for finding in (_connection(box), *map(_finding, redis_points.judge(box)))]


def workers(store: Store) -> list[Finding]:
    """Who works, and which queues wait in vain."""
    processes = list(ProcessSet(store))
    if processes:
        words = {
            "processes": len(processes),
            "busy": sum(process.busy for process in processes),
            "threads": sum(process.concurrency for process in processes),
        }
        text = _("%(processes)s, %(busy)s of %(threads)s threads busy") % words
        found = [Finding("processes", "ok", text)]
    else:
        found = [Finding("processes", "warn", _("no worker runs"), _("Start one: manage.py runworker"))]
    served = {queue for process in processes if not process.is_quiet for queue in process.queues}
    return [*found, *_idle_queues(store, served)]


def _redis() -> list[Finding]:
    try:
        store = stores.get()
    except (ConfigurationError, StoreError) as error:
        return [Finding("connection", "error", str(error))]
    found = [finding for each in store.servers() for finding in server(each)]
    is_reached = not any(finding.topic == "connection" and finding.level == "error" for finding in found)
    return [*found, *workers(store)] if is_reached else found


def _connection(box: RedisBox) -> Finding:
    text = f"{box.label} ({box.kind})"
    if box.prefix:
        text = _("%(address)s, keys begin with %(prefix)r") % {"address": text, "prefix": box.prefix}
    return Finding("connection", "ok", text)


def _finding(point: Point) -> Finding:
    topic = point.code.removeprefix("redis_").replace("_", " ")
    return Finding(topic, point.level, point.text, point.remedy)


def _idle_queues(store: Store, served: set[str]) -> Iterator[Finding]:
    for queue in Queue.summaries(store):
        topic = f"queue {queue.name}"
        if queue.suspects:
            text = _("jobs that were there when two workers died, and run one at a time: %(count)s")
            remedy = _("Look what killed the workers: memory, or a library that crashes")
            yield Finding(topic, "warn", text % {"count": figure(queue.suspects)}, remedy)
        if queue.paused:
            yield Finding(topic, "warn", _paused(queue), manage("kiq", "resume", queue.name))
        elif queue.size and queue.name not in served:
            text = _("no worker serves it; jobs that wait: %(count)s") % {"count": figure(queue.size)}
            yield Finding(topic, "warn", text, manage("runworker", "-q", queue.name))


def _paused(queue: QueueSummary) -> str:
    reason = queue.pause_note.get("reason")
    words = {
        "by": queue.pause_note.get("by") or _("another program"),
        "reason": reason,
        "count": figure(queue.size),
    }
    if reason:
        return _("paused by %(by)s: %(reason)s; jobs that wait: %(count)s") % words
    return _("paused by %(by)s; jobs that wait: %(count)s") % words


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
