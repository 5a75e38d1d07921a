"""Entries of `TASKS` that cannot be meant."""

import pytest

from kiq_django.task_backend import KiqBackend


def ids(**params):
    return [(found.id, found.msg) for found in KiqBackend(alias="default", params=params).check()]


def test_nothing_to_say():
    assert ids() == []
    assert ids(QUEUES=["default"], OPTIONS={"result_ttl": 60, "retry": 3, "on_commit": False}) == []


@pytest.mark.parametrize(
    ("params", "wanted", "text"),
    [
        ({"OPTIONS": {"result_tll": 1}}, "kiq_django.E011", "result_tll"),
        ({"OPTIONS": {"result_ttl": 0}}, "kiq_django.E012", "result_ttl"),
        ({"OPTIONS": {"retry": "often"}}, "kiq_django.E012", "retry"),
        ({"QUEUES": ["default", "mial"]}, "kiq_django.W006", "mial"),
    ],
)
def test_what_is_wrong_is_told(params, wanted, text):
    ((found, message),) = ids(**params)
    assert found == wanted
    assert text in message


def test_an_app_that_is_not_installed(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "kiq_django"]
    assert [found for found, _ in ids()] == ["kiq_django.E010"]
