"""`settings.KIQ`, read once into frozen values. Unknown or unusable keys are refused, with a suggestion."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from kiq_django.exceptions import ConfigurationError
from kiq_django.setting import (
    Check,
    flag,
    flag_or_count,
    kind,
    mapping,
    optional,
    paths,
    positive_seconds,
    seconds,
    setting,
    text,
    whole,
)

T = TypeVar("T")

DAY = 86_400
DEFAULT_FEATURES = ("kiq_django.features.metrics",)
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
    dead_jobs: int = setting(whole(1, "a whole number above 0"), 10_000)
    """Jobs kept in the dead set; the oldest go first."""
    dead_seconds: float = setting(positive_seconds, 180 * DAY)
    """Seconds that a dead job is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidekiqSettings:
    """What a Redis that is shared with Ruby may want otherwise; by default Sidekiq 6.4, 7.3 and 8.1 all read it."""

    integer_times: bool = setting(flag, default=False)
    """Write times as whole milliseconds, as Sidekiq 8 does. Sidekiq 6 and 7 misread them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of `KIQ`. Keys are these names in upper case."""

    adapter: str = setting(text, "redis")
    """`redis`, `inline`, `threads`, `test`, or the dotted path of a class."""
    redis: Any = setting(kind((str, Mapping, type(None)), "a URL, a CACHES alias or a dict"), None)
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
    features: Sequence[str] = setting(paths, DEFAULT_FEATURES)
    """Dotted paths of features, ours and yours; a list replaces the default one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the settings."""

    text: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.text}. {self.hint}" if self.hint else self.text


def check_of(section: type, name: str) -> Check:
    """What says whether a value is usable for one key of a section."""
    check: Check = next(each.metadata["check"] for each in fields(section) if each.name == name)
    return check


def lease_trouble(lease: float, heartbeat: float) -> str | None:
    """Say why a worker could not hold a lease of so many seconds with a beat every so many, or None."""
    if lease < 2 * heartbeat:
        return (
            f"The lease ({lease:g} s) must be at least twice the heartbeat ({heartbeat:g} s): one late beat is no death"
        )
    return None


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """`did you mean 'QUEUES'?`, or the possible words when none is near."""
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else "Known: " + ", ".join(sorted(words))


def _section(cls: type[T], raw: Any, where: str, problems: list[Problem], *, upper: bool = False) -> dict[str, Any]:
    """The usable keys of one dict, as keyword arguments of `cls`; what is not usable goes to `problems`."""
    if not isinstance(raw, Mapping):
        problems.append(Problem(f"{where} must be a dict, not {raw!r}"))
        return {}
    checks = {f.name.upper() if upper else f.name: f for f in fields(cls) if "check" in f.metadata}  # type: ignore[arg-type]
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in checks:
            problems.append(Problem(f"{where} has the unknown key {key!r}", did_you_mean(str(key), list(checks))))
        elif trouble := checks[key].metadata["check"](value):
            problems.append(Problem(f"{where}[{key!r}] {trouble}"))
        else:
            found[checks[key].name] = value
    return found


def _queues(raw: Any, problems: list[Problem]) -> Mapping[str, QueueSettings]:
    where = "KIQ['QUEUES']"
    if isinstance(raw, list | tuple):
        raw = dict.fromkeys(raw, 0)
    if not isinstance(raw, Mapping) or not raw:
        problems.append(Problem(f"{where} must be a list of names or a dict of weights, not {raw!r}"))
        return {"default": QueueSettings(name="default")}
    queues: dict[str, QueueSettings] = {}
    for name, value in raw.items():
        if trouble := queue_name_trouble(name):
            problems.append(Problem(f"{where}: {trouble}"))
            continue
        options = value if isinstance(value, Mapping) else {"weight": value}
        queues[name] = QueueSettings(name=name, **_section(QueueSettings, options, f"{where}[{name!r}]", problems))
    return queues


SECTIONS: dict[str, type] = {
    "DEFAULTS": Defaults,
    "WORKER": WorkerSettings,
    "MIDDLEWARE": MiddlewareSettings,
    "LIMITS": Limits,
    "SIDEKIQ": SidekiqSettings,
}


def read(raw: Any) -> tuple[Settings, list[Problem]]:
    """Read a `KIQ` dict: the settings as far as they are usable, and what is wrong with the rest."""
    problems: list[Problem] = []
    if not isinstance(raw, Mapping):
        return Settings(), [Problem(f"KIQ must be a dict, not {raw!r}")]
    plain = {key: value for key, value in raw.items() if key not in SECTIONS and key != "QUEUES"}
    values = _section(Settings, plain, "KIQ", problems, upper=True)
    _suggest_sections(plain, problems)
    for key, cls in SECTIONS.items():
        if key in raw:
            values[key.lower()] = cls(**_section(cls, raw[key], f"KIQ[{key!r}]", problems))
    if "QUEUES" in raw:
        values["queues"] = _queues(raw["QUEUES"], problems)
    settings = Settings(**values)
    if trouble := lease_trouble(settings.worker.lease, settings.worker.heartbeat):
        problems.append(Problem(f"KIQ['WORKER']: {trouble}"))
    return settings, problems


def _suggest_sections(plain: Mapping[Any, Any], problems: list[Problem]) -> None:
    """Replace the hint of an unknown key where one of the sections is nearer than the plain keys."""
    names = [*SECTIONS, "QUEUES", *(f.name.upper() for f in fields(Settings))]
    for index, problem in enumerate(problems):
        for key in plain:
            if problem.text == f"KIQ has the unknown key {key!r}":
                problems[index] = Problem(problem.text, did_you_mean(str(key), sorted(set(names))))


@cache
def get() -> Settings:
    """The settings in force.

    Raises:
        ConfigurationError: `settings.KIQ` has unknown or unusable keys; the message names each.
    """
    settings, problems = read(getattr(django_settings, "KIQ", {}))
    if problems:
        raise ConfigurationError("; ".join(map(str, problems)))
    return settings


_reset_callbacks: list[Callable[[], object]] = [get.cache_clear]
WATCHED = frozenset({"KIQ", "CACHES", "DATABASES", "INSTALLED_APPS"})


def on_reset(callback: Callable[[], object]) -> Callable[[], object]:
    """Register what clears a cache that was built from the settings. Usable as a decorator."""
    _reset_callbacks.append(callback)
    return callback


def reset() -> None:
    """Forget everything that was derived from the settings: they may have changed."""
    for callback in _reset_callbacks:
        callback()


def _setting_changed(*, setting: str, **_: Any) -> None:
    if setting in WATCHED:
        reset()


setting_changed.connect(_setting_changed, dispatch_uid="kiq_django.conf")
