"""Workers and servers as the tests of the engine and of the store have them."""

import io
import logging

import pytest

from kiq_django import log
from kiq_django.log.formatters import FORMATTERS
from tests import roles
from tests.interop.conftest import console, ruby, sidekiq
from tests.store.conftest import members, waiting
from tests.worker.conftest import _own_jobs, _plain, declare, gate, own_server, push, start

__all__ = [
    "_own_jobs",
    "_plain",
    "console",
    "declare",
    "gate",
    "members",
    "own_server",
    "push",
    "ruby",
    "sidekiq",
    "start",
    "waiting",
]


collect_ignore = [] if roles.ARE_ON else ["test_roles.py"]


@pytest.fixture
def kiq(settings):
    """Change some of `KIQ`."""

    def change(**values):
        settings.KIQ = {**settings.KIQ, **values}

    return change


@pytest.fixture
def lines():
    """What a handler of ours writes of everything in the package, INFO included, in the form asked for."""
    ours = logging.getLogger("kiq_django")
    level, added = ours.level, []

    def begin(form="text"):
        handler = log.BatchHandler(io.StringIO())
        handler.setFormatter(FORMATTERS[form]())
        added.append(handler)
        ours.addHandler(handler)
        ours.setLevel(logging.INFO)
        return lambda: handler.stream.getvalue().split("\n")[:-1]

    yield begin
    for handler in added:
        ours.removeHandler(handler)
    ours.setLevel(level)
