"""Every declared job by name. A worker runs what stands here and imports nothing that a payload names."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Signature
from pathlib import Path
from types import MappingProxyType
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.utils.module_loading import autodiscover_modules

from kiq_django import callbacks
from kiq_django.exceptions import ConfigurationError, DuplicateJobError
from kiq_django.options import JobOptions

MODULES = ("jobs", "tasks")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Definition:
    """One declared job. Compared by identity: a reloaded module declares a new one."""

    name: str
    """What payloads call it."""
    target: Callable[..., Any]
    """A function, a coroutine function, or a class with `perform`."""
    options: JobOptions
    """What the decorator was given."""
    is_async: bool
    """Calling it yields a coroutine."""
    signature: Signature
    """Of the function, or of `perform` without `self`."""
    source: str
    """Where it was declared, for people: `shop/jobs.py:12`."""
    is_class: bool = False
    """The target is a class: every run gets an instance of its own."""
    hooked: Callable[..., Any] | None = None
    """Runs a class with its callbacks; None where there are none."""
    sender: Any = None
    """What the decorated name is bound to, the sender of this job's signals."""

    def call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run it plainly: no context, no middleware. An async job answers its coroutine."""
        return self.perform(*args, **kwargs) if self.is_class else self.target(*args, **kwargs)

    def perform(self, *args: Any, **kwargs: Any) -> Any:
        """Run a class with `perform`: on an instance of its own."""
        return self.target().perform(*args, **kwargs)

    @property
    def runner(self) -> Callable[..., Any]:
        """What a worker calls: the function, or an instance of the class with its callbacks."""
        return self.hooked or (self.perform if self.is_class else self.target)

    @property
    def origin(self) -> tuple[str, str]:
        """Module and qualified name of the target: the same again after a reload."""
        return self.target.__module__, self.target.__qualname__


_jobs: dict[str, Definition] = {}
_aliases: dict[str, Definition] = {}
"""Jobs by their former names."""


def register(definition: Definition) -> None:
    """Make a job known. The same function again (its module was reloaded) replaces the former.

    Raises:
        DuplicateJobError: another function has this name, or one of its former names.
    """
    for name in (definition.name, *definition.options.aliases):
        former = find(name)
        if former is not None and former.origin != definition.origin:
            raise DuplicateJobError(
                f"Job {name} is defined twice ({former.source}, {definition.source}). "
                "Give one of them another name: @job(name=...)"
            )
    _jobs[definition.name] = definition
    _aliases.update(dict.fromkeys(definition.options.aliases, definition))


def find(name: str) -> Definition | None:
    """The job of this name, or once of this name; None when no loaded code declares it."""
    return _jobs.get(name) or _aliases.get(name)


def all_jobs() -> Mapping[str, Definition]:
    """All declared jobs by name; a view that cannot be written to."""
    return MappingProxyType(_jobs)


def autodiscover() -> None:
    """Import `jobs` and `tasks` of every installed app. What fails to import fails here, at start."""
    autodiscover_modules(*MODULES)


def describe(
    target: Callable[..., Any], options: JobOptions, name: str | None = None, sender: Any = None
) -> Definition:
    """Look at a function, or a class with `perform`, that is to become a job.

    Raises:
        ConfigurationError: it cannot be one; the text says why, and what to do.
    """
    is_class = isinstance(target, type)
    function = _perform_of(target) if isinstance(target, type) else _plain_function(target)
    is_async, hooked = iscoroutinefunction(function), None
    if isinstance(target, type):
        callbacks.refuse_unusable(target, is_async=is_async)
        hooked = callbacks.performer(target, is_async=is_async)
    return Definition(
        name=name or _default_name(target),
        target=target,
        options=options,
        is_async=is_async,
        signature=_signature(function, skip_self=is_class),
        source=_source(function),
        is_class=is_class,
        hooked=hooked,
        sender=sender,
    )


def _perform_of(cls: type) -> Callable[..., Any]:
    perform = inspect.getattr_static(cls, "perform", None)
    if not inspect.isfunction(perform):
        raise ConfigurationError(f"Class {cls.__qualname__} cannot be a job: it needs a method perform(self, ...)")
    try:
        inspect.signature(cls).bind()
    except TypeError:
        raise ConfigurationError(
            f"Class {cls.__qualname__} cannot be a job: every run makes an instance without arguments. "
            "Take them in perform(self, ...)"
        ) from None
    return _runnable(perform)


def _plain_function(target: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(target) or not hasattr(target, "__qualname__") or not hasattr(target, "__module__"):
        raise ConfigurationError(f"{target!r} cannot be a job: decorate a function, or a class with perform")
    return _runnable(target)


def _runnable(function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"{function.__qualname__} cannot be a job: it is a generator, so calling it runs nothing. Replace its yield"
        )
    return function


def _default_name(target: Callable[..., Any]) -> str:
    if "<" in target.__qualname__:
        raise ConfigurationError(
            f"{target.__qualname__} cannot be a job under this name: a worker could not import it. "
            "Define it at the top of a module, or give it a name: @job(name=...)"
        )
    if target.__module__ == "__main__":
        raise ConfigurationError(
            f"{target.__qualname__} is defined in the script that runs, which a worker does not import. "
            "Move it to a jobs.py of an installed app, or give it a name: @job(name=...)"
        )
    return f"{target.__module__}.{target.__qualname__}"


def _signature(function: Callable[..., Any], *, skip_self: bool) -> Signature:
    signature = inspect.signature(function)
    if not skip_self:
        return signature
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _source(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return function.__module__
    path = Path(code.co_filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{code.co_firstlineno}"
