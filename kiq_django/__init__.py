"""Background jobs for Django on Redis, with Sidekiq's design and wire format."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kiq_django.version import __version__

if TYPE_CHECKING:
    from kiq_django.client import Handle
    from kiq_django.context import current_job
    from kiq_django.exceptions import Discard, Expired, Kill
    from kiq_django.jobs import Job, job
    from kiq_django.options import RetryOn

__all__ = ["Discard", "Expired", "Handle", "Job", "Kill", "RetryOn", "__version__", "current_job", "job"]

_HOMES = {
    "Discard": "kiq_django.exceptions",
    "Expired": "kiq_django.exceptions",
    "Handle": "kiq_django.client",
    "Job": "kiq_django.jobs",
    "Kill": "kiq_django.exceptions",
    "RetryOn": "kiq_django.options",
    "current_job": "kiq_django.context",
    "job": "kiq_django.jobs",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: the app registry imports this package before models may be."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
