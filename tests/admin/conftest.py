"""People with different rights, and jobs as workers leave them in Redis."""

import logging

import pytest
from django.contrib.auth.models import Permission, User

from tests.admin.figures import ran  # noqa: F401 - a fixture
from tests.admin.frame import framed
from tests.api.conftest import beat, in_queue, in_set, put, put_many, running  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db

OPERATOR = ("retry_job", "kill_job", "reschedule_job", "move_job", "pause_queue", "signal_process", "run_operation")


@pytest.fixture(autouse=True)
def _server(store, db):
    """Every test here has a server, and finds it empty."""


@pytest.fixture
def person(db):
    """Make a member of staff with permissions of ours: `person("view_queue", "retry_job")`."""

    def person(*codenames: str, name: str = "ada", **fields) -> User:
        user = User.objects.create_user(name, password="pw", **{"is_staff": True, **fields})
        found = Permission.objects.filter(content_type__app_label="kiq", codename__in=codenames)
        assert found.count() == len(set(codenames)), "a permission of this name does not exist"
        user.user_permissions.set(found)
        return user

    return person


@pytest.fixture
def views(db) -> list[str]:
    """All permissions to see pages."""
    found = Permission.objects.filter(content_type__app_label="kiq", codename__startswith="view_")
    return [each.codename for each in found if each.codename not in ("view_job_args", "view_job_secrets")]


@pytest.fixture
def boss(client, person):
    """A client signed in as a superuser."""
    client.force_login(person(name="boss", is_superuser=True))
    return client


@pytest.fixture
def chief(client, person, settings, caplog):
    """A superuser for very many requests: pages in a frame that is quickly drawn, sessions without a database."""
    settings.TEMPLATES = framed(settings.TEMPLATES)
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    caplog.set_level(logging.CRITICAL, "django")  # hundreds are refused
    client.force_login(person(name="chief", is_superuser=True))
    return client


@pytest.fixture
def viewer(client, person, views):
    """A client signed in as somebody who may see all pages and change nothing."""
    client.force_login(person(*views, name="vera"))
    return client


@pytest.fixture
def operator(client, person, views):
    """A client signed in as somebody who may act, but not delete."""
    client.force_login(person(*views, *OPERATOR, "view_job_args", name="otto"))
    return client
