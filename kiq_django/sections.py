"""What may stand in `settings.KIQ`: one frozen value a section, each key with its check and its default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kiq_django.setting import (
    between,
    flag,
    flag_or_count,
    kind,
    mapping,
    optional,
    paths,
    positive_seconds,
    redis,
    seconds,
    secret_keys,
    setting,
    text,
    texts,
    whole,
)

DAY = 86_400
DEFAULT_FEATURES = (
    "kiq_django.features.metrics",
    "kiq_django.features.operations",
    "kiq_django.features.context",
)
MOST_PARTITIONS = 64
QUEUE_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-")


def queue_name_trouble(name: Any) -> str | None:
    """Say what is wrong with a queue's name, or None. Sidekiq Web can open no page for other names."""
    if not isinstance(name, str) or not name or len(name) > 128 or not QUEUE_NAME_CHARACTERS.issuperset(name):
        return f"{name!r} is not a queue name: use 1 to 128 of the characters A-Z a-z 0-9 _ . : -"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """One queue of `KIQ["QUEUES"]`."""

    name: str = ""
    weight: int = setting(whole(0, "a whole number, 0 or more"), 1)
    """How often this queue is looked at first, relative to the others; 0 in a strict list."""
    latency: float | None = setting(optional(positive_seconds), None)
    """Seconds that a job may wait before the dashboard calls the queue late; default: `KIQ["DASHBOARD"]["latency"]`."""
    limit: int | None = setting(optional(whole(1, "a whole number above 0")), None)
    """Jobs that may wait before `enqueue` raises `QueueFull`; None is any number."""
    wait: float = setting(seconds, 0)
    """Seconds that `enqueue` waits for room in a full queue before it raises."""
    partitions: int = setting(between(1, MOST_PARTITIONS, "partitions"), 1)
    """Lists over which its jobs are dealt; 1 is the queue's own list alone."""
    redis: Any = setting(redis, None, shown=False)
    """A server of its own, as in `KIQ["REDIS"]`."""

    @property
    def lists(self) -> tuple[str, ...]:
        """Names of the lists that make it up. The first is there without partitions too: others may push to it."""
        if self.partitions == 1:
            return (self.name,)
        return (self.name, *(f"{self.name}:{number}" for number in range(1, self.partitions + 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Options of a job that does not say otherwise."""

    queue: str = setting(queue_name_trouble, "default")
    """Where jobs go."""
    retry: bool | int = setting(flag_or_count, default=True)
    """How many times a failed job is tried again; True is 25, False is never (and no dead set)."""
    timeout: float | None = setting(optional(positive_seconds), None)
    """Seconds after which `JobTimeout` is raised inside a running job; None is never."""
    on_commit: bool = setting(flag, default=True)
    """Push after the open database transactions commit."""
    outbox: bool = setting(flag, default=False)
    """Keep jobs in the database, with the rows of their transaction, until Redis has them (`kiq_django.outbox`)."""
    wait_replicas: int = setting(whole(0, "a whole number, 0 or more"), 0)
    """Replicas of Redis that must have a job before its push counts as done."""
    backtrace: bool | int = setting(flag_or_count, default=False)
    """Keep the traceback of a failure in the payload: all of it, or that many lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How `manage.py runworker` works; its command line overrides what it has an option for."""

    concurrency: int = setting(whole(1, "a whole number above 0"), 5)
    """Threads that run jobs."""
    async_concurrency: int = setting(whole(1, "a whole number above 0"), 100)
    """`async def` jobs that run at once on the process's event loop."""
    shutdown_timeout: float = setting(seconds, 25)
    """Seconds that running jobs get to finish on a stop before they are pushed back."""
    tag: str = setting(text, "")
    """Shown beside the process; default: the project folder's name."""
    labels: Sequence[str] = setting(kind((list, tuple), "a list of texts"), ())
    """Shown beside the process."""
    capsules: Mapping[str, Mapping[str, Any]] = setting(mapping, factory=dict)
    """More sets of queues with threads of their own: `{"slow": {"queues": ["pdf"], "concurrency": 1}}`."""
    heartbeat: float = setting(positive_seconds, 5)
    """Seconds between two beats."""
    lease: float = setting(positive_seconds, 30)
    """Seconds without a beat after which another process takes this one's jobs over."""
    poll_interval: float = setting(positive_seconds, 5)
    """Average seconds between two looks at the schedule and retry sets, over all processes."""
    max_jobs: int | None = setting(optional(whole(1, "a whole number above 0")), None)
    """Runs after which a process ends in good order for another one to take its place."""
    max_memory: int | None = setting(optional(whole(1, "a whole number of megabytes above 0")), None)
    """Megabytes of resident memory at which it does."""
    switch_interval: float | None = setting(optional(positive_seconds), 0.0005)
    """Seconds that a thread which computes may keep the interpreter from the others; None leaves Python's own, 0.005.

    With Python's a job waits almost a second for its start while eight others compute, with ours 20 ms.
    """
    wait_for_migrations: bool = setting(flag, default=False)
    """Take no job before every migration of the project is applied."""
    allow_eviction: bool = setting(flag, default=False)
    """Start on a Redis that may evict keys, and with them jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiddlewareSettings:
    """Dotted paths of middleware, outermost first."""

    client: Sequence[str] = setting(paths, ())
    server: Sequence[str] = setting(paths, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where we say no, or throw away."""

    payload: int = setting(whole(1, "bytes"), 1_048_576)
    """Bytes of a payload above which `enqueue` refuses."""
    payload_warning: int = setting(whole(1, "bytes"), 65_536)
    """Bytes of a payload above which `enqueue` warns, once a minute and job."""
    worker_payload: int = setting(whole(1, "bytes"), 8_388_608)
    """Bytes of a payload above which a worker puts it into the dead set unread: others may have pushed it."""
    replica_seconds: float = setting(positive_seconds, 1)
    """Seconds that a push waits for the replicas that `wait_replicas` wants; less than the connection's time limit."""
    dead_jobs: int = setting(whole(1, "a whole number above 0"), 10_000)
    """Jobs kept in the dead set; the oldest go first."""
    dead_seconds: float = setting(positive_seconds, 180 * DAY)
    """Seconds that a dead job is kept."""
    history_seconds: float = setting(seconds, 7 * DAY)
    """Seconds that the attempts of a job that failed are kept after the last of them; 0 keeps none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidekiqSettings:
    """What a Redis that is shared with Ruby may want otherwise; by default Sidekiq 6.4, 7.3 and 8.1 all read it."""

    integer_times: bool = setting(flag, default=False)
    """Write times as whole milliseconds, as Sidekiq 8 does. Sidekiq 6 and 7 misread them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """What the pages in the admin show, and how."""

    latency: float = setting(positive_seconds, 60)
    """Seconds that a job may wait before its queue counts as late."""
    refresh: float = setting(seconds, 5)
    """Seconds between two live updates of the Overview and of what runs; 0 is never. Everybody can choose another."""
    environment: str = setting(text, "")
    """Shown in the head of each page, such as `production`."""
    redact: Sequence[str] = setting(texts, ())
    """More names of keys whose values are hidden everywhere, beside `password`, `token` and their like."""
    trace_link: str = setting(text, "")
    """URL of a job's trace, with `{trace_id}` and `{jid}` where they belong."""
    log_link: str = setting(text, "")
    """URL of a job's log lines, with `{jid}` where it belongs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSettings:
    """How the feature `kiq_django.features.seal` signs jobs."""

    keys: Sequence[str] = setting(secret_keys, (), shown=False)
    """The newest signs, all are good for checking; none: `SECRET_KEY` and `SECRET_KEY_FALLBACKS`."""
    required: bool = setting(flag, default=True)
    """Refuse jobs without a seal; False only while the last of those go that were pushed before there was one."""
    unsealed: Sequence[str] = setting(texts, ())
    """Names of jobs that need no seal, since a program without the key pushes them, such as Ruby."""
    open_fields: Sequence[str] = setting(texts, ())
    """Fields of the payload that others add or change on its way, beside those that always may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """What the feature `kiq_django.features.context` takes along."""

    language: bool = setting(flag, default=True)
    """Language in force, where it is not `LANGUAGE_CODE`."""
    time_zone: bool = setting(flag, default=True)
    """Time zone in force, where it is not `TIME_ZONE`."""
    trace: bool = setting(flag, default=True)
    """W3C trace context, where there is one in `kiq_django.carried.trace`."""
    request_id: str = setting(text, "")
    """Dotted path of a `ContextVar`, or of a function without arguments, that has the id of the request."""
    variables: Mapping[str, str] = setting(mapping, factory=dict)
    """Dotted paths of `ContextVar`s by the names under which they travel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of `KIQ`. Keys are these names in upper case."""

    adapter: str = setting(text, "redis")
    """`redis`, `inline`, `threads`, `test`, or the dotted path of a class."""
    redis: Any = setting(redis, None, shown=False)
    """URL, alias of a django-redis cache, dict of url and redis-py options, or `embedded:`."""
    prefix: str = setting(text, "")
    """Put before every key; empty is Sidekiq's layout."""
    queues: Mapping[str, QueueSettings] = field(default_factory=lambda: {"default": QueueSettings(name="default")})
    """Queues by name, in the order given. All weights 0 means strict order."""
    defaults: Defaults = field(default_factory=Defaults)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    middleware: MiddlewareSettings = field(default_factory=MiddlewareSettings)
    limits: Limits = field(default_factory=Limits)
    sidekiq: SidekiqSettings = field(default_factory=SidekiqSettings)
    dashboard: DashboardSettings = field(default_factory=DashboardSettings)
    seal: SealSettings = field(default_factory=SealSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    features: Sequence[str] = setting(paths, DEFAULT_FEATURES)
    """Dotted paths of features, ours and yours; a list replaces the default one."""


SECTIONS: dict[str, type] = {
    "DEFAULTS": Defaults,
    "WORKER": WorkerSettings,
    "MIDDLEWARE": MiddlewareSettings,
    "LIMITS": Limits,
    "SIDEKIQ": SidekiqSettings,
    "DASHBOARD": DashboardSettings,
    "SEAL": SealSettings,
    "CONTEXT": ContextSettings,
}
