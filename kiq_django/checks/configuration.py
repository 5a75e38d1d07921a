"""Whether `KIQ` means something."""

from collections.abc import Callable
from typing import Any, Final

from django.apps import apps
from django.core.checks import Error, Warning  # noqa: A004

from kiq_django import adapters, conf, plugins, registry
from kiq_django.checks.found import Found, problems, some, usable
from kiq_django.exceptions import ConfigurationError
from kiq_django.sections import SealSettings

SEAL: Final = "kiq_django.features.seal"
FATES: Final = {
    "inline": "jobs run inside of the request",
    "threads": "jobs are lost with the process",
    "test": "jobs never run",
}


def settings(**_: Any) -> Found:
    """E003: a key, or a value, of `KIQ` that nobody understands."""
    for problem in problems():
        yield Error(problem.text, hint=problem.hint or None, id="kiq_django.E003")


def features(**_: Any) -> Found:
    """E003 for a feature that does not load; otherwise the checks that features bring along."""
    if not usable():
        return
    try:
        loaded = plugins.features()
    except ConfigurationError as error:
        yield Error(str(error), id="kiq_django.E003")
        return
    for feature in loaded:
        for check in feature.checks:
            yield from check(app_configs=None)


def middleware(**_: Any) -> Found:
    """E006: a link of `KIQ["MIDDLEWARE"]` that cannot be imported."""
    if not usable():
        return
    sides: tuple[Callable[[], Any], ...] = (plugins.client_links, plugins.server_links)
    for links in sides:
        try:
            links()
        except ConfigurationError as error:
            if "MIDDLEWARE" in str(error):  # of a feature E003 has told
                yield Error(str(error), hint="Name a function or a class by its dotted path", id="kiq_django.E006")


def seal(**_: Any) -> Found:
    """W009: rules for seals, and nothing that seals or checks."""
    if usable() and conf.get().seal != SealSettings() and SEAL not in conf.get().features:
        yield Warning(
            f"KIQ['SEAL'] is set, but {SEAL!r} is not in KIQ['FEATURES']: no job is sealed, and every job runs",
            hint=f"Add {SEAL!r} as the last of KIQ['FEATURES']",
            id="kiq_django.W009",
        )


def outbox(**_: Any) -> Found:
    """E005: jobs are to be kept in an outbox that is not there."""
    if not usable() or apps.is_installed("kiq_django.outbox"):
        return
    by_default = conf.get().defaults.outbox
    jobs = [name for name, job in registry.all_jobs().items() if job.options.outbox]
    if by_default or jobs:
        subject = "KIQ['DEFAULTS']['outbox'] is on" if by_default else f"Jobs have outbox=True ({some(jobs)})"
        yield Error(
            f"{subject}, but 'kiq_django.outbox' is not in INSTALLED_APPS: there is no table to keep them in",
            hint="Add 'kiq_django.outbox' to INSTALLED_APPS, and run manage.py migrate",
            id="kiq_django.E005",
        )


def adapter(**_: Any) -> Found:
    """E001: an adapter that is none."""
    if not usable() or (path := conf.get().adapter) in adapters.NAMES:
        return
    if "." not in path:
        hint = conf.did_you_mean(path, list(adapters.NAMES))
        yield Error(f"KIQ['ADAPTER'] is {path!r}, which is not an adapter", hint=hint, id="kiq_django.E001")
        return
    try:
        adapters.get()
    except ConfigurationError as error:
        yield Error(str(error), id="kiq_django.E001")


def lasting_adapter(**_: Any) -> Found:
    """W001, for deployments: an adapter for development."""
    if usable() and (fate := FATES.get(conf.get().adapter)):
        text = f"KIQ['ADAPTER'] is {conf.get().adapter!r}: {fate}"
        yield Warning(text, hint="Use 'redis' in production", id="kiq_django.W001")
