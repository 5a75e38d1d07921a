"""Where a payload goes. `KIQ["ADAPTER"]` chooses one by name, or any other by dotted path."""

import os
from functools import cache

from django.utils.module_loading import import_string

from kiq_django import conf
from kiq_django.adapters.base import Adapter
from kiq_django.exceptions import ConfigurationError

NAMES = {
    "redis": "kiq_django.adapters.redis.RedisAdapter",
    "inline": "kiq_django.adapters.inline.InlineAdapter",
    "threads": "kiq_django.adapters.threads.ThreadsAdapter",
    "test": "kiq_django.adapters.test.TestAdapter",
}


@cache
def get() -> Adapter:
    """The adapter of the settings in force, imported on first use.

    Raises:
        ConfigurationError: `KIQ["ADAPTER"]` leads to no adapter.
    """
    path = conf.get().adapter
    adapter = _load(NAMES.get(path, path))()
    _made.append(adapter)
    return adapter


_made: list[Adapter] = []


def _load(path: str) -> type[Adapter]:
    try:
        found = import_string(path)
    except ImportError as error:
        hint = conf.did_you_mean(path, list(NAMES))
        raise ConfigurationError(f"KIQ['ADAPTER'] is {path!r}, which is not an adapter. {hint}") from error
    if isinstance(found, type) and issubclass(found, Adapter):
        return found
    raise ConfigurationError(f"KIQ['ADAPTER'] is {path!r}, which is not a subclass of kiq_django.adapters.base.Adapter")


@conf.on_reset
def _close() -> None:
    get.cache_clear()
    while _made:
        _made.pop().close()


def _forget() -> None:
    """Threads and their locks stay behind in the parent of a fork."""
    get.cache_clear()
    _made.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
