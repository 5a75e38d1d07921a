from contextlib import contextmanager

import pytest

from kiq_django import jobs as jobs_module
from kiq_django import plugins
from kiq_django.exceptions import ConfigurationError
from kiq_django.plugins import Feature


def client_link(payload, proceed):
    return proceed(payload)


def server_link(payload, proceed):
    return proceed(payload)


class Link:
    def __call__(self, payload, proceed):
        return proceed(payload)


first = Feature(name="first", options={"unique_for": None}, client=lambda p, n: n(p), server=lambda p, n: n(p))
second = Feature(name="second", client=lambda p, n: n(p), server=lambda p, n: n(p))
clashing = Feature(name="clashing", options={"unique_for": 1})
greedy = Feature(name="greedy", options={"queue": 1})
feature = second


@contextmanager
def _clumsy(payload):
    yield
    raise ZeroDivisionError


clumsy = Feature(name="clumsy", around=_clumsy)
HERE = "tests.unit.test_plugins"


@pytest.fixture
def kiq(settings):
    def change(**values):
        settings.KIQ = {"ADAPTER": "test", **values}

    return change


def test_a_feature_by_its_own_path_or_by_its_module(kiq):
    kiq(FEATURES=[f"{HERE}.first", HERE])
    assert plugins.features() == (first, second)


def test_the_settings_clear_the_cache(kiq):
    kiq(FEATURES=[f"{HERE}.first"])
    assert plugins.features() == (first,)
    kiq(FEATURES=[])
    assert plugins.features() == ()


def test_links_in_documented_order(kiq):
    kiq(
        FEATURES=[f"{HERE}.first", f"{HERE}.second"],
        MIDDLEWARE={"client": [f"{HERE}.client_link"], "server": [f"{HERE}.server_link"]},
    )
    assert plugins.client_links() == (client_link, first.client, second.client)
    assert plugins.server_links() == (second.server, first.server, server_link)


def test_a_class_is_made_a_link(kiq):
    kiq(FEATURES=[], MIDDLEWARE={"client": [f"{HERE}.Link"]})
    assert isinstance(plugins.client_links()[0], Link)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (["tests.nowhere"], r"'tests\.nowhere' cannot be imported"),
        (["nowhere"], "'nowhere' cannot be imported"),
        ([f"{HERE}.nothing"], "cannot be imported"),
        ([f"{HERE}.HERE"], "is not a feature"),
        ([f"{HERE}.first", f"{HERE}.clashing"], "'unique_for' of feature clashing belongs to first"),
        ([f"{HERE}.greedy"], "'queue' of feature greedy belongs to kiq_django itself"),
    ],
)
def test_what_is_wrong_is_named(kiq, features, words):
    kiq(FEATURES=features)
    with pytest.raises(ConfigurationError, match=words):
        plugins.features()


def test_an_import_error_inside_a_feature_is_its_own(kiq, tmp_path, monkeypatch):
    (tmp_path / "broken_feature.py").write_text("import not_installed_anywhere")
    monkeypatch.syspath_prepend(tmp_path)
    kiq(FEATURES=["broken_feature"])
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        plugins.features()


def test_a_link_that_cannot_be_imported(kiq):
    kiq(FEATURES=[], MIDDLEWARE={"server": [f"{HERE}.nothing"]})
    with pytest.raises(ConfigurationError, match=r"KIQ\['MIDDLEWARE'\]"):
        plugins.server_links()


def test_options_of_features(kiq):
    kiq(FEATURES=[f"{HERE}.first"])
    assert plugins.options() == {"unique_for": None}
    plugins.refuse_unknown_options("a", {"unique_for": 60})
    with pytest.raises(ConfigurationError, match=r"option 'uniqe_for'\. Did you mean 'unique_for'"):
        plugins.refuse_unknown_options("a", {"uniqe_for": 60})
    with pytest.raises(ConfigurationError, match="Did you mean 'queue'"):
        plugins.refuse_unknown_options("a", {"queu": "x"})


def test_the_project_is_checked_once_all_jobs_are_known(kiq, monkeypatch):
    from kiq_django import registry

    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))
    kiq(FEATURES=[])
    jobs_module.refuse_unknown_options()

    @jobs_module.job(name="typo", queu="x")
    def typo(): ...

    with pytest.raises(ConfigurationError, match="Job typo has the unknown option 'queu'"):
        jobs_module.refuse_unknown_options()
    with pytest.raises(ConfigurationError, match="Job typo has the unknown option 'queu'"):
        typo.enqueue()


def test_a_feature_that_fails_on_its_way_out_harms_no_hook(kiq, caplog):
    kiq(FEATURES=[f"{HERE}.clumsy"])
    with plugins.around(None):
        pass
    assert "ZeroDivisionError" in caplog.text
