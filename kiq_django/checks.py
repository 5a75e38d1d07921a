"""System checks. None connects anywhere without `manage.py check --deploy`; `manage.py kiq doctor` shows them all.

The store, and with it the Redis library, is imported only by checks that need it: importing it takes long.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info
from django.core.management import get_commands

from kiq_django import adapters, conf, plugins, registry
from kiq_django.exceptions import ConfigurationError, StoreError
from kiq_django.sections import SealSettings

TAG = "kiq_django"
"""`manage.py check --tag kiq_django`."""
SEAL = "kiq_django.features.seal"
REDIS_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
REDIS_PORT = 6379
NAMED = 3
"""Jobs that one message names."""
FATES = {
    "inline": "jobs run inside of the request",
    "threads": "jobs are lost with the process",
    "test": "jobs never run",
}

Found = Iterator[CheckMessage]


def settings(**_: Any) -> Found:
    """E003: a key, or a value, of `KIQ` that nobody understands."""
    for problem in _problems():
        yield Error(problem.text, hint=problem.hint or None, id="kiq_django.E003")


def features(**_: Any) -> Found:
    """E003 for a feature that does not load; otherwise the checks that features bring along."""
    if not _usable():
        return
    try:
        loaded = plugins.features()
    except ConfigurationError as error:
        yield Error(str(error), id="kiq_django.E003")
        return
    for feature in loaded:
        for check in feature.checks:
            yield from check(app_configs=None)


def seal(**_: Any) -> Found:
    """W009: rules for seals, and nothing that seals or checks."""
    if _usable() and conf.get().seal != SealSettings() and SEAL not in conf.get().features:
        yield checks.Warning(
            f"KIQ['SEAL'] is set, but {SEAL!r} is not in KIQ['FEATURES']: no job is sealed, and every job runs",
            hint=f"Add {SEAL!r} as the last of KIQ['FEATURES']",
            id="kiq_django.W009",
        )


def outbox(**_: Any) -> Found:
    """E005: jobs are to be kept in an outbox that is not there."""
    if not _usable() or apps.is_installed("kiq_django.outbox"):
        return
    by_default = conf.get().defaults.outbox
    jobs = [name for name, job in registry.all_jobs().items() if job.options.outbox]
    if by_default or jobs:
        subject = "KIQ['DEFAULTS']['outbox'] is on" if by_default else f"Jobs have outbox=True ({_some(jobs)})"
        yield Error(
            f"{subject}, but 'kiq_django.outbox' is not in INSTALLED_APPS: there is no table to keep them in",
            hint="Add 'kiq_django.outbox' to INSTALLED_APPS, and run manage.py migrate",
            id="kiq_django.E005",
        )


def adapter(**_: Any) -> Found:
    """E001: an adapter that is none."""
    if not _usable() or (path := conf.get().adapter) in adapters.NAMES:
        return
    if "." not in path:
        hint = conf.did_you_mean(path, list(adapters.NAMES))
        yield Error(f"KIQ['ADAPTER'] is {path!r}, which is not an adapter", hint=hint, id="kiq_django.E001")
        return
    try:
        adapters.get()
    except ConfigurationError as error:
        yield Error(str(error), id="kiq_django.E001")


def lasting_adapter(**_: Any) -> Found:
    """W001, for deployments: an adapter for development."""
    if _usable() and (fate := FATES.get(conf.get().adapter)):
        text = f"KIQ['ADAPTER'] is {conf.get().adapter!r}: {fate}"
        yield checks.Warning(text, hint="Use 'redis' in production", id="kiq_django.W001")


def redis(**_: Any) -> Found:
    """E002: a `KIQ["REDIS"]`, or a variable in its place, that means no Redis. W002: one that a cache shares."""
    if not _uses_redis():
        return
    from kiq_django.store import targets

    try:
        target = targets.resolve(conf.get().redis)
        for queue in conf.get().queues.values():
            if queue.redis is not None:
                targets.target(queue.redis, source=f"KIQ['QUEUES'][{queue.name!r}]['redis']")
    except ConfigurationError as error:
        yield Error(str(error), id="kiq_django.E002")
        return
    ours = _database(target.options.get("url"))
    for alias, cache in django_settings.CACHES.items():
        if ours and ours in map(_database, _locations(cache)):
            yield checks.Warning(
                f"KIQ and CACHES[{alias!r}] use the same Redis database: cache.clear() may delete every job",
                hint="Give one of them another database number",
                id="kiq_django.W002",
            )


def queues(**_: Any) -> Found:
    """W005: jobs go to a queue that a worker with the settings of this project does not look at."""
    if not _uses_redis():
        return
    from kiq_django.api.declared import declared_jobs

    known = conf.get().queues
    served = {*known, *_capsule_queues()}
    stray: dict[str, list[str]] = {}
    for job in declared_jobs():
        if job.queue not in served:
            stray.setdefault(job.queue, []).append(job.name)
    for queue, jobs in stray.items():
        yield checks.Warning(
            f"Jobs go to queue {queue!r}, which is not in KIQ['QUEUES']; no worker would run them: {_some(jobs)}",
            hint=f"Add {queue!r} to KIQ['QUEUES']. {conf.did_you_mean(queue, list(known))}",
            id="kiq_django.W005",
        )


def _some(jobs: Sequence[str]) -> str:
    return ", ".join(jobs[:NAMED]) + (f" and {len(jobs) - NAMED} more" if len(jobs) > NAMED else "")


def worker_command(**_: Any) -> Found:
    """W007: `manage.py runworker` is another app's."""
    owner = get_commands().get("runworker", "kiq_django")
    owner = owner if isinstance(owner, str) else type(owner).__module__
    if owner != "kiq_django":
        yield checks.Warning(
            f"manage.py runworker is the command of {owner}, which comes before 'kiq_django' in INSTALLED_APPS",
            hint="Start workers with manage.py kiqworker, or move 'kiq_django' up",
            id="kiq_django.W007",
        )


def database_pools(**_: Any) -> Found:
    """W008: threads that would wait for each other's database connections."""
    if not _usable():
        return
    threads = _threads()
    for alias, database in django_settings.DATABASES.items():
        size = _pool_size(database.get("OPTIONS", {}).get("pool"))
        if size is not None and size < threads:
            yield checks.Warning(
                f"The connection pool of database {alias!r} (max_size {size}) is smaller than the worker's "
                f"{threads} threads",
                hint=f"Set max_size in its OPTIONS['pool'] to {threads} or more, or KIQ['WORKER']['concurrency'] lower",
                id="kiq_django.W008",
            )


def server(**_: Any) -> Found:
    """W003 and W004, for deployments: connects, and asks the server what it promises."""
    if not _uses_redis():
        return
    from kiq_django import store
    from kiq_django.api import diagnosis

    try:
        found: Sequence[diagnosis.Finding] = diagnosis.server(store.get())
    except (ConfigurationError, StoreError) as error:
        found = [diagnosis.Finding("connection", "error", str(error))]
    for finding in found:
        if finding.level != "ok":
            number = "W003" if finding.topic == "eviction" else "W004"
            text = f"Redis, {finding.topic}: {finding.text}"
            yield checks.Warning(text, hint=finding.remedy or None, id=f"kiq_django.{number}")


def speed(**_: Any) -> Found:
    """I001, for deployments: a faster reader of replies is to be had."""
    if _uses_redis() and find_spec("hiredis") is None:
        yield Info(
            "hiredis is not installed: large replies of Redis are read slowly",
            hint="pip install 'kiq-django[fast]'",
            id="kiq_django.I001",
        )


ALWAYS = (settings, features, seal, outbox, adapter, redis, queues, worker_command, database_pools)
DEPLOYED = (lasting_adapter, server, speed)


def _listed(check: Callable[..., Found]) -> Callable[..., list[CheckMessage]]:
    """Django wants lists."""

    def listed(app_configs: Any = None, **options: Any) -> list[CheckMessage]:
        return list(check(**options))

    listed.__name__, listed.__doc__ = check.__name__, check.__doc__
    return listed


def register_all() -> None:
    """Make the checks known to Django; once, from `AppConfig.ready`."""
    for check in ALWAYS:
        checks.register(_listed(check), TAG)
    for check in DEPLOYED:
        checks.register(_listed(check), TAG, deploy=True)


def _usable() -> bool:
    """Otherwise E003 has told what is wrong, and no other check can know what is meant."""
    return not _problems()


def _problems() -> Sequence[conf.Problem]:
    return conf.read(getattr(django_settings, "KIQ", {}))[1]


def _uses_redis() -> bool:
    return _usable() and conf.get().adapter == "redis"


def _locations(cache: Mapping[str, Any]) -> Iterable[str]:
    """Where a cache keeps its keys, if that is a Redis."""
    location = cache.get("LOCATION", "")
    return re.split("[,;]", location) if isinstance(location, str) else map(str, location)


def _database(url: Any) -> tuple[str, str] | None:
    """Server and database of a Redis URL, in one spelling; None for anything else."""
    if not isinstance(url, str) or url.partition("://")[0] not in REDIS_SCHEMES:
        return None
    try:
        parts = urlsplit(url.strip())
        path, port = parts.path.strip("/"), parts.port or REDIS_PORT
    except ValueError:
        return None
    named = parse_qs(parts.query).get("db", [""])[0]
    if parts.scheme == "unix":
        return path, named or "0"
    host = (parts.hostname or "localhost").replace("127.0.0.1", "localhost")
    return f"{host}:{port}", named or path or "0"


def _threads() -> int:
    worker = conf.get().worker
    return worker.concurrency + sum(
        int(capsule.get("concurrency", worker.concurrency)) for capsule in worker.capsules.values()
    )


def _capsule_queues() -> Iterator[str]:
    for capsule in conf.get().worker.capsules.values():
        yield from capsule.get("queues", ())


def _pool_size(pool: Any) -> int | None:
    """Connections that psycopg's pool opens at most; without `max_size` those that it holds, 4 unless told."""
    if not pool:
        return None
    options = pool if isinstance(pool, Mapping) else {}
    size = options.get("max_size") or options.get("min_size", 4)
    return size if isinstance(size, int) else None
