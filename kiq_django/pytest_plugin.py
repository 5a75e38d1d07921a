"""Fixtures for pytest: `kiq`, `kiq_inline`, `kiq_redis`. A project that asks for none of them notices nothing.

Nothing of Django or of this package is imported before a fixture is asked for.
"""

from collections.abc import Iterator
from os import environ
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kiq_django.testing.server import Place, RealJobs


@pytest.fixture
def kiq() -> Iterator[Any]:
    """An empty test adapter: jobs are collected and run when the test says so. The module `kiq_django.testing`."""
    from kiq_django import testing

    with testing.collecting():
        yield testing


@pytest.fixture
def kiq_inline() -> Iterator[None]:
    """Jobs run inside of the call that enqueues them."""
    from kiq_django import testing

    with testing.inline():
        yield


@pytest.fixture(scope="session")
def kiq_place() -> "Iterator[Place]":
    """A server for this process of the test run alone, or a prefix on that of `$KIQ_TEST_REDIS_URL`."""
    from kiq_django.exceptions import ConfigurationError
    from kiq_django.testing import server

    place = server.place(environ.get("PYTEST_XDIST_WORKER", ""))
    try:
        found = place.__enter__()
    except ConfigurationError as error:
        if environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield found
    place.__exit__(None, None, None)


@pytest.fixture
def kiq_redis(kiq_place: "Place") -> "Iterator[RealJobs]":
    """The real adapter on an empty server; `kiq_redis.work()` runs a real worker until the queues are empty."""
    from kiq_django.testing import server

    with server.real_jobs(kiq_place) as jobs:
        yield jobs
