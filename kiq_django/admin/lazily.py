"""What brings the `redis` library along, imported at first use: the admin finds its pages when Django starts."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiq_django import api as api
    from kiq_django import store as stores
    from kiq_django.store import Store
else:

    class _Later:
        """A module that is not there yet."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            return getattr(import_module(self._name), attribute)

    api = _Later("kiq_django.api")
    stores = _Later("kiq_django.store")


def store() -> "Store":
    """The store of the dashboard: it gives up sooner than a worker, because a person waits for the page."""
    return stores.get("dashboard")


@cache
def submodule(name: str) -> Any:
    """`kiq_django.api.<name>`."""
    return import_module(f"kiq_django.api.{name}")
