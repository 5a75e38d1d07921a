import functools

import pytest

from kiq_django import registry
from kiq_django.exceptions import ConfigurationError, DuplicateJobError
from kiq_django.options import JobOptions
from tests.jobsapp import jobs

OPTIONS = JobOptions()


def plain(one, two=2): ...


def other(): ...


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))


def describe(target, name=None):
    return registry.describe(target, OPTIONS, name)


def test_a_function():
    found = describe(plain)
    assert found.name == "tests.unit.test_registry.plain"
    assert found.source.startswith("tests/unit/test_registry.py:")
    assert not found.is_async
    assert list(found.signature.parameters) == ["one", "two"]


def test_a_coroutine_function():
    async def work(): ...

    assert describe(work, "work").is_async


def test_a_class():
    class Work:
        def perform(self, one): ...

    class AsyncWork:
        async def perform(self): ...

    assert list(describe(Work, "w").signature.parameters) == ["one"]
    assert not describe(Work, "w").is_async
    assert describe(AsyncWork, "w").is_async


def test_a_class_job_gets_an_instance_a_run():
    class Work:
        def __init__(self):
            self.seen = []

        def perform(self, value):
            self.seen.append(value)
            return self.seen

    definition = describe(Work, "w")
    assert definition.call([1], {}) == [1]
    assert definition.call([], {"value": 2}) == [2]


def test_what_cannot_be_a_job():
    def nested(): ...

    class NoPerform: ...

    class Needs:
        def __init__(self, value): ...

        def perform(self): ...

    def generator():
        yield

    async def async_generator():
        yield

    lambda_ = lambda: None  # noqa: E731
    for target, words in [
        (nested, "name="),
        (lambda_, "name="),
        (NoPerform, "perform"),
        (Needs, "without arguments"),
        (generator, "generator"),
        (async_generator, "generator"),
        (7, "decorate a function"),
        (functools.partial(plain, 1), "decorate a function"),
    ]:
        with pytest.raises(ConfigurationError, match=words):
            describe(target)


def test_a_function_of_the_running_script(monkeypatch):
    monkeypatch.setattr(plain, "__module__", "__main__")
    with pytest.raises(ConfigurationError, match=r"Move it to a jobs\.py"):
        describe(plain)
    assert describe(plain, "named").name == "named"


def test_the_same_function_again_replaces():
    first, second = describe(plain), describe(plain)
    registry.register(first)
    registry.register(second)
    assert registry.find(first.name) is second


def test_another_function_of_the_same_name_is_refused():
    registry.register(describe(plain, "twice"))
    with pytest.raises(DuplicateJobError, match=r"twice is defined twice \(tests/unit/test_registry\.py:\d+, "):
        registry.register(describe(other, "twice"))


def test_find_and_all():
    assert registry.find("nobody") is None
    assert registry.find("HardWorker") is jobs.HardWorker.definition
    assert registry.all_jobs()["HardWorker"] is jobs.HardWorker.definition
    with pytest.raises(TypeError):
        registry.all_jobs()["x"] = None


def test_discovery_finds_the_jobs_of_apps_and_hides_no_error(monkeypatch):
    registry.autodiscover()

    def broken(name):
        if name == "tests.jobsapp.jobs":
            raise ImportError("no module named celery")

    monkeypatch.setattr("django.utils.module_loading.import_module", broken)
    with pytest.raises(ImportError, match="celery"):
        registry.autodiscover()


def test_a_former_name_leads_to_the_job(monkeypatch):
    monkeypatch.setattr(registry, "_aliases", {})
    definition = registry.describe(plain, JobOptions(aliases=("old", "older")), "new")
    registry.register(definition)
    assert registry.find("old") is registry.find("older") is registry.find("new") is definition
    assert "old" not in registry.all_jobs()
    registry.register(registry.describe(plain, JobOptions(aliases=("old",)), "new"))
    with pytest.raises(DuplicateJobError, match="Job old is defined twice"):
        registry.register(registry.describe(other, OPTIONS, "old"))
    with pytest.raises(DuplicateJobError, match="Job new is defined twice"):
        registry.register(registry.describe(other, JobOptions(aliases=("new",)), "another"))
