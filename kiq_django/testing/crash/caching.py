"""Writes to caches: noted, compared, and taken back after each scenario."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from django.conf import settings
from django.core.cache import caches
from django.utils.module_loading import import_string

from kiq_django.testing.crash.points import Watch

ONE_KEY: Final = ("add", "set", "touch", "delete", "incr", "decr")
MANY_KEYS: Final = ("set_many", "delete_many")
NOTHING: Final = object()

Entry = tuple[str, Any, Any]
"""Alias, key, version."""


class CacheWatch:
    """Remembers what lay under every key before it was written."""

    def __init__(self) -> None:
        self._before: dict[Entry, Any] = {}

    @contextmanager
    def watching(self, watch: Watch) -> Iterator[None]:
        """Notice the writes of this block."""
        classes = {import_string(options["BACKEND"]) for options in settings.CACHES.values()}
        with ExitStack() as stack:
            for found in classes:
                for name in (*ONE_KEY, *MANY_KEYS):
                    stack.enter_context(
                        mock.patch.object(found, name, self._noticed(watch, name, getattr(found, name)))
                    )
            yield

    def values(self) -> dict[str, str]:
        """What lies there now, of every key that was written."""
        return {f"{alias}: {key}": _told(_get((alias, key, version))) for alias, key, version in self._before}

    def restore(self) -> None:
        """Put back what was there before, and begin anew."""
        for (alias, key, version), value in self._before.items():
            if value is NOTHING:
                caches[alias].delete(key, version=version)
            else:
                caches[alias].set(key, value, version=version)
        self._before.clear()

    def _noticed(self, watch: Watch, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(cache: Any, keys: Any, *args: Any, **options: Any) -> Any:
            watch.breathe()
            with watch.as_one() as is_outermost:
                if is_outermost:
                    self._remember(cache, [keys] if name in ONE_KEY else list(keys), options.get("version"))
                answer = method(cache, keys, *args, **options)
            if is_outermost:
                shown = keys if name in ONE_KEY else ", ".join(map(str, keys))
                watch.reach("cache", f"cache.{name} of {shown}")
            return answer

        return noticed

    def _remember(self, cache: Any, keys: list[Any], version: Any) -> None:
        alias = next((name for name in settings.CACHES if caches[name] is cache), "default")
        for key in keys:
            if (alias, key, version) not in self._before:
                self._before[(alias, key, version)] = _get((alias, key, version))


def _get(entry: Entry) -> Any:
    alias, key, version = entry
    return caches[alias].get(key, NOTHING, version=version)


def _told(value: Any) -> str:
    return "nothing" if value is NOTHING else repr(value)
