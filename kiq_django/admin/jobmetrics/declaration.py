"""What the code of this process says of a job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import durations, registry
from kiq_django.admin import jobtext
from kiq_django.declared import declared_jobs
from kiq_django.options import JobOptions
from kiq_django.retry import DEFAULT_MAX

SHOWN_ANYWAY: Final = frozenset({"queue", "retry", "extra"})
LONGEST_VALUE: Final = 200
UNSAID: Final = JobOptions()
SEPARATORS: Final = str.maketrans("|/", "::")
"""Of the keys in which figures are counted."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One `@job`."""

    name: str
    """Its own: figures go by a name in which `/` and `|` are `:`."""
    source: str
    queue: str
    retry: str
    """In words."""
    options: tuple[tuple[str, str], ...]
    """What else it says that is not said by default."""


def find(name: str) -> Declaration | None:
    """The declaration of the job with these figures; None when no code here declares it."""
    everything = registry.all_jobs().values()
    definition = registry.find(name) or next((each for each in everything if _key(each) == name), None)
    if definition is None:
        return None
    declared = next(each for each in declared_jobs() if each.name == definition.name)
    options = tuple(_options(definition.options))
    return Declaration(definition.name, definition.source, declared.queue, retries(declared), options)


def _key(definition: registry.Definition) -> str:
    return definition.name.translate(SEPARATORS)


def retries(declared: Any) -> str:
    """How often a job is tried again, in words."""
    if declared.retry_for is not None:
        return _("for %(duration)s") % {"duration": durations.human(declared.retry_for)}
    count = DEFAULT_MAX if declared.retry is True else int(declared.retry)
    return ngettext("%(count)s time", "%(count)s times", count) % {"count": count} if count else _("none")


def _options(options: JobOptions) -> Iterator[tuple[str, str]]:
    for each in fields(options):
        value = getattr(options, each.name)
        if each.name not in SHOWN_ANYWAY and value != getattr(UNSAID, each.name):
            yield each.name, jobtext.cut(_text(value), LONGEST_VALUE)
    for name, value in options.extra.items():
        yield name, jobtext.cut(_text(value), LONGEST_VALUE)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    return getattr(value, "__qualname__", None) or str(value)
