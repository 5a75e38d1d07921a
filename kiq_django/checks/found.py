"""What several checks ask first."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.conf import settings as django_settings
from django.core.checks import CheckMessage

from kiq_django import conf

NAMED: Final = 3
"""Jobs that one message names."""

Found = Iterator[CheckMessage]


def usable() -> bool:
    """Otherwise E003 has told what is wrong, and no other check can know what is meant."""
    return not problems()


def problems() -> Sequence[conf.Problem]:
    return conf.read(getattr(django_settings, "KIQ", {}))[1]


def uses_redis() -> bool:
    return usable() and conf.get().adapter == "redis"


def some(jobs: Sequence[str]) -> str:
    return ", ".join(jobs[:NAMED]) + (f" and {len(jobs) - NAMED} more" if len(jobs) > NAMED else "")
