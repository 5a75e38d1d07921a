"""What a job's declaration says about every one of its calls."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from inspect import Parameter
from types import MappingProxyType
from typing import Any, NamedTuple

from django.apps import apps

from kiq_django import binding, plugins, sections
from kiq_django.codec import dumps
from kiq_django.delivery import Care
from kiq_django.exceptions import ConfigurationError, PayloadError
from kiq_django.options import JobOptions
from kiq_django.payload import EXPIRES, KWARGS, PARTITION_KEY, RESULT, RICH, Payload
from kiq_django.registry import Definition

OWN_OPTIONS = frozenset(each.name for each in fields(JobOptions)) - {"extra"}
STAY_HERE = frozenset(
    {"timeout", "retry_in", "retry_on", "discard_on", "retries_exhausted", "redact", "aliases", "partition_by"}
)
"""Options that the worker reads from the declaration; all others travel with the payload."""
OUTBOX = "kiq_django.outbox"
HOOKS = ("retry_in", "retries_exhausted")
FROM_SETTINGS = ("queue", "retry", "on_commit", "outbox", "wait_replicas", "backtrace")


_NONE: Mapping[str, Any] = {}


class Call(NamedTuple):
    """What is particular to one payload; arguments are as `arguments.dump` gives them."""

    args: list[Any]
    kwargs: Mapping[str, Any]
    rich: bool
    at: float | None = None
    """Epoch seconds when it shall run."""
    partition_key: str | None = None


class Plan:
    """What is the same in all payloads of a job under the same settings."""

    __slots__ = (
        "_expires",
        "_expires_at",
        "_expires_in",
        "_head",
        "are_plain",
        "care",
        "fields",
        "on_commit",
        "partition_by",
        "queue",
        "retry",
        "settings",
    )

    def __init__(
        self, name: str, given: Mapping[str, Any], settings: sections.Settings, expires_at: float | None = None
    ) -> None:
        defaults = {option: getattr(settings.defaults, option) for option in FROM_SETTINGS}
        options = build_options({**defaults, **given})
        plugins.refuse_unknown_options(name, options.extra)
        self.settings = settings
        self.queue = options.queue
        self.retry = options.retry
        self.on_commit = options.on_commit
        self.care = _care(name, options, settings)
        self._head = {"retry": options.retry, "queue": options.queue, "class": name}
        self.partition_by = None if options.partition_key else options.partition_by
        self._expires_in = options.expires_in
        self._expires_at = expires_at
        self._expires = options.expires_in is not None or expires_at is not None
        self.fields = {**_travelling(options), **_plain(options.extra)}
        self.are_plain = self.partition_by is None and RESULT not in self.fields
        """Nothing but arguments, id and time sets one of its payloads apart, and each is pushed by itself."""

    def payload(self, call: list[Any] | Call, jid: str, now: float) -> Payload:
        """One call, as `Payload.new` would make it; of a plain one its arguments say all."""
        args, kwargs, rich, at, key = (call, _NONE, False, None, None) if type(call) is list else call
        document = {**self._head, "args": args, "jid": jid, "created_at": now}
        if kwargs:
            document[KWARGS] = kwargs
        if at is not None:
            document["at"] = at
        document.update(self.fields)
        if rich:
            document[RICH] = True
        if self._expires:
            document[EXPIRES] = self._expiry(now if at is None else at)
        if key is not None:
            document[PARTITION_KEY] = key
        return Payload(document)

    def _expiry(self, due: float) -> float:
        """What a call says in absolute terms wins."""
        return due + (self._expires_in or 0) if self._expires_at is None else self._expires_at


class CallShape:
    """Checks calls against the signature; the usual ones, by position, without binding."""

    __slots__ = ("_definition", "_least", "_most", "names")

    def __init__(self, definition: Definition) -> None:
        parameters = list(definition.signature.parameters.values())
        by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._definition = definition
        self._least: float = sum(p.default is Parameter.empty for p in by_position)
        self._most: float = len(by_position)
        self.names = [p.name for p in by_position]
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            self._most = math.inf
        if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
            self._least = math.inf  # no call by position alone will do

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise the TypeError that the call would raise in the worker."""
        if kwargs or not self._least <= len(args) <= self._most:
            binding.bind(self._definition.signature, self._definition.target.__name__, args, kwargs)


def _care(name: str, options: JobOptions, settings: sections.Settings) -> Care:
    """Refuse an outbox that is not there: nothing would be kept."""
    if options.outbox and not apps.is_installed(OUTBOX):
        raise ConfigurationError(
            f"Job {name} has outbox=True, but {OUTBOX!r} is not in INSTALLED_APPS. Add it, and run manage.py migrate"
        )
    queue = settings.queues.get(options.queue)
    return Care(options.outbox, options.wait_replicas, queue if queue and queue.limit else None)


def refuse_unknown_parameter(definition: Definition) -> None:
    """Raise when jobs are to keep their order by a parameter that they do not have."""
    name, names = definition.options.partition_by, list(definition.signature.parameters)
    if name is not None and name not in names:
        raise ConfigurationError(
            f"{definition.name} has partition_by={name!r}, which is none of its parameters. "
            f"Known: {', '.join(names) or 'none'}"
        )


def partition_key(definition: Definition, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The value of a parameter as a text; of an instance of a model, its primary key."""
    bound = definition.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    value = bound.arguments[name]
    return str(getattr(value, "pk", value))


def build_options(given: Mapping[str, Any]) -> JobOptions:
    """Options from keywords. Those that are not ours may be a feature's; that is seen once all features are known.

    Raises:
        ConfigurationError: one of ours is not usable.
    """
    own = {name: value for name, value in given.items() if name in OWN_OPTIONS}
    extra = {name: value for name, value in given.items() if name not in OWN_OPTIONS}
    options = JobOptions(**own, extra=MappingProxyType(extra))
    for queue in (options.queue, options.retry_queue):
        if queue is not None and (trouble := sections.queue_name_trouble(queue)):
            raise ConfigurationError(trouble)
    return options


def hooks_of(target: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The hooks that a class job has as methods, each called on an instance of its own."""
    if not isinstance(target, type):
        return {}
    return {name: _hook(target, name) for name in HOOKS if callable(getattr(target, name, None))}


def _hook(cls: type, name: str) -> Callable[..., Any]:
    return lambda *arguments: getattr(cls(), name)(*arguments)


def _travelling(options: JobOptions) -> dict[str, Any]:
    """Sidekiq's fields for what differs from its defaults."""
    found = {
        "tags": list(options.tags),
        "retry_for": options.retry_for,
        "retry_queue": options.retry_queue,
        "backtrace": options.backtrace,
        PARTITION_KEY: options.partition_key,
    }
    usual: dict[str, Any] = {} if options.dead else {"dead": False}
    if options.result:
        usual[RESULT] = max(1, int(options.result))
    return {**usual, **{name: value for name, value in found.items() if value}}


def _plain(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Options of features that are JSON travel under their own names, where the feature's client link sees them."""
    return {name: value for name, value in extra.items() if _is_json(value)}


def _is_json(value: Any) -> bool:
    try:
        dumps(value)
    except PayloadError:
        return False
    return True
