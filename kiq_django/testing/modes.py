"""Which adapter a test has, whatever the settings say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.test.utils import override_settings

from kiq_django import adapters
from kiq_django.adapters.base import Adapter


@contextmanager
def chosen(name: str, **kiq: Any) -> Iterator[Adapter]:
    """An adapter of its own for this block.

    Args:
        name: what `KIQ["ADAPTER"]` is to be.
        kiq: more keys of `KIQ`.
    """
    with override_settings(KIQ={**getattr(settings, "KIQ", {}), "ADAPTER": name, **kiq}):
        yield adapters.get()


@contextmanager
def collecting() -> Iterator[None]:
    """Collect what this block enqueues, for `enqueued`, `assert_enqueued` and `drain`. Nothing runs by itself."""
    with chosen("test"):
        yield


@contextmanager
def inline() -> Iterator[None]:
    """Run jobs inside of the call that enqueues them (after the commit); what they raise comes out of it."""
    with chosen("inline"):
        yield
