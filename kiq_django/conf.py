"""`settings.KIQ`, read once into frozen values. Unknown or unusable keys are refused, with a suggestion."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from kiq_django.exceptions import ConfigurationError
from kiq_django.sections import SECTIONS, QueueSettings, Settings, queue_name_trouble
from kiq_django.setting import Check

T = TypeVar("T")


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
        problems.append(Problem(f"{where} must be a dict, not a {type(raw).__name__}"))
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
    problems += _clashes(queues)
    return queues


def _clashes(queues: Mapping[str, QueueSettings]) -> Iterator[Problem]:
    for queue in queues.values():
        for name in (f"{queue.name}:0", *queue.lists[1:]) if queue.partitions > 1 else ():
            if name in queues:
                text = f"KIQ['QUEUES'] has a queue {name!r}, which is a partition of {queue.name!r} too"
                yield Problem(text, "Give one of them another name")


def read(raw: Any) -> tuple[Settings, list[Problem]]:
    """Read a `KIQ` dict: the settings as far as they are usable, and what is wrong with the rest."""
    problems: list[Problem] = []
    if not isinstance(raw, Mapping):
        return Settings(), [Problem(f"KIQ must be a dict, not a {type(raw).__name__}")]
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
