"""System checks: what they find, what they leave alone, and that they connect nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core import checks as django_checks
from django.test import override_settings

from kiq_django import RetryOn, checks, job, registry
from kiq_django.checks import configuration, connection, project, queues
from kiq_django.plugins import Feature
from tests.jobsapp import jobs

WARNING = django_checks.Warning("of a feature", id="mine.W001")
watchful = Feature(name="watchful", checks=(lambda **_: [WARNING],))
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}


def found(check, **kiq):
    with override_settings(KIQ=kiq):
        return list(check())


def ids(messages):
    return [message.id.removeprefix("kiq_django.") for message in messages]


def test_good_settings_have_nothing_to_say():
    for check in checks.ALWAYS:
        assert found(check, REDIS="redis://localhost:6379/0", QUEUES=["default", "mail"]) == []


@pytest.mark.parametrize(
    ("name", "hint"), [("redsi", "Did you mean 'redis'?"), ("Inline", "Did you mean 'inline'?"), ("xyz", "Known: ")]
)
def test_e001_adapter_by_name(name, hint):
    (error,) = found(configuration.adapter, ADAPTER=name)
    assert ids([error]) == ["E001"]
    assert name in error.msg
    assert error.hint.startswith(hint)


@pytest.mark.parametrize("path", ["no.such.Adapter", "kiq_django.clock.now", "kiq_django.payload.Payload"])
def test_e001_adapter_by_path(path):
    (error,) = found(configuration.adapter, ADAPTER=path)
    assert ids([error]) == ["E001"]
    assert path in error.msg


def test_e001_leaves_adapters_alone():
    for name in ("redis", "inline", "threads", "test", "kiq_django.adapters.test.TestAdapter"):
        assert found(configuration.adapter, ADAPTER=name) == []


@pytest.mark.parametrize("value", ["localhost:6379", "http://localhost", {"sentinels": []}, "nocache"])
def test_e002_redis(value):
    assert ids(found(connection.redis, REDIS=value)) == ["E002"]
    assert found(connection.redis, REDIS=value, ADAPTER="inline") == []


def test_e002_has_the_remedy():
    (error,) = found(connection.redis, REDIS="localhost:6379")
    assert "redis://localhost:6379" in error.msg


def test_e003_settings():
    (error,) = found(configuration.settings, QUEUE=["mail"])
    assert ids([error]) == ["E003"]
    assert (error.msg, error.hint) == ("KIQ has the unknown key 'QUEUE'", "Did you mean 'QUEUES'?")
    assert ids(found(configuration.settings, WORKER={"concurrency": 0}, PREFIX=3)) == ["E003", "E003"]


def test_e003_silences_what_depends_on_the_settings():
    for check in (*checks.ALWAYS, *checks.DEPLOYED):
        if check is not configuration.settings and check is not project.worker_command:
            assert found(check, ADAPTER=7) == []


def test_e003_a_feature_that_does_not_load():
    assert ids(found(configuration.features, FEATURES=["no.such.feature"])) == ["E003"]


def test_checks_of_features_run():
    assert found(configuration.features, FEATURES=[f"{__name__}.watchful"]) == [WARNING]


@pytest.mark.parametrize("name", ["inline", "threads", "test"])
def test_w001_adapters_for_development(name):
    (warning,) = found(configuration.lasting_adapter, ADAPTER=name)
    assert ids([warning]) == ["W001"]
    assert name in warning.msg
    assert found(configuration.lasting_adapter, ADAPTER="redis") == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("redis://localhost:6379/0", "redis://127.0.0.1"),
        ("redis://:secret@cache:6379/3", "redis://cache/3"),
        ("redis://cache/0", "rediss://user:other@CACHE:6379?db=0"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=0"),
        ({"url": "redis://cache/1"}, ["redis://a/1", "redis://cache/1"]),
        ("redis://cache/1", "redis://a/1;redis://cache/1"),
        ("default", "redis://cache:6379/1"),
    ],
)
def test_w002_a_cache_in_the_same_database(ours, theirs):
    caches = {"default": {**REDIS, "LOCATION": theirs}}
    with override_settings(CACHES=caches):
        (warning,) = found(connection.redis, REDIS=ours)
    assert ids([warning]) == ["W002"]
    assert "'default'" in warning.msg
    assert "secret" not in str(warning)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("redis://localhost:6379/0", "redis://127.0.0.1/1"),
        ("redis://a/0", "redis://b/0"),
        ("redis://a:6379", "redis://a:6380"),
        ("redis://a", ""),
        ("redis://a", "redis://a:port"),
        ("embedded:", "redis://127.0.0.1/0"),
    ],
)
def test_w002_other_databases_are_fine(ours, theirs):
    with override_settings(CACHES={"default": {**REDIS, "LOCATION": theirs}}):
        assert found(connection.redis, REDIS=ours) == []


def test_w003_and_w004_tell_what_the_server_lacks(store, settings):
    kiq = {**settings.KIQ}
    assert ids(found(connection.server, **kiq)) == ["W004"]  # the server of the tests keeps nothing
    store.link.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert sorted(ids(found(connection.server, **kiq))) == ["W003", "W004"]
    finally:
        store.link.call("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_w004_redis_away():
    (warning,) = found(connection.server, REDIS="redis://:secret@127.0.0.1:1/0")
    assert ids([warning]) == ["W004"]
    assert "127.0.0.1:1" in warning.msg
    assert "secret" not in warning.msg
    assert ids(found(connection.server, REDIS="nonsense")) == ["W004"]
    assert found(connection.server, ADAPTER="inline") == []


def test_w005_a_queue_that_no_worker_serves():
    (warning,) = found(queues.queues)
    assert ids([warning]) == ["W005"]
    assert jobs.invoice.name in warning.msg
    assert "'mail'" in warning.msg
    assert found(queues.queues, QUEUES=["default", "mail"]) == []
    assert found(queues.queues, WORKER={"capsules": {"post": {"queues": ["mail"]}}}) == []
    assert found(queues.queues, ADAPTER="inline") == []


def test_w005_follows_the_default_queue():
    (warning,) = found(queues.queues, QUEUES=["default", "mail"], DEFAULTS={"queue": "mial"})
    assert "'mial'" in warning.msg
    assert "more" in warning.msg
    assert "Did you mean 'mail'?" in warning.hint


def test_w007_a_command_of_another_app(monkeypatch):
    assert list(project.worker_command()) == []
    monkeypatch.setattr(project, "get_commands", lambda: {"runworker": "channels"})
    (warning,) = project.worker_command()
    assert ids([warning]) == ["W007"]
    assert "channels" in warning.msg
    assert "kiqworker" in warning.hint


@pytest.mark.parametrize(
    ("pool", "warned"),
    [
        (None, False),
        (False, False),
        (True, True),
        ({"max_size": 10}, False),
        ({"max_size": 9}, True),
        ({"min_size": 10}, False),
        ({"min_size": 2, "max_size": None}, True),
    ],
)
def test_w008_a_pool_smaller_than_the_threads(pool, warned):
    databases = {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": pool}}}
    worker = {"concurrency": 7, "capsules": {"slow": {"queues": ["pdf"], "concurrency": 3}}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project.django_settings, "DATABASES", databases)
        assert ids(found(project.database_pools, WORKER=worker)) == (["W008"] if warned else [])


def test_e006_a_link_that_cannot_be_imported():
    for side in ("client", "server"):
        (error,) = found(configuration.middleware, MIDDLEWARE={side: ["no.such.link"]})
        assert ids([error]) == ["E006"]
        assert "'no.such.link'" in error.msg
    assert found(configuration.middleware, MIDDLEWARE={"client": [f"{__name__}.found"]}) == []
    assert found(configuration.middleware, FEATURES=["no.such.feature"]) == []  # E003 tells


@pytest.mark.parametrize("value", ["embedded:", "embedded:/var/lib/kiq"])
def test_w010_a_server_for_development(value):
    assert ids(found(connection.lasting_server, REDIS=value)) == ["W010"]
    assert found(connection.lasting_server, REDIS="redis://cache/0") == []
    assert found(connection.lasting_server, REDIS=value, ADAPTER="inline") == []


def test_w011_a_queue_for_retries_that_no_worker_serves(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))
    job(name="a", retry_queue="slwo")(lambda: None)
    job(name="b", retry_on=[RetryOn(OSError, queue="slwo")])(lambda: None)
    job(name="c", retry_on=[RetryOn(OSError)], retry_queue="default")(lambda: None)
    (warning,) = found(queues.retry_queues, QUEUES=["default", "slow"])
    assert ids([warning]) == ["W011"]
    assert warning.msg.endswith("no worker would run them: a, b")
    assert "Did you mean 'slow'?" in warning.hint
    assert found(queues.retry_queues, QUEUES=["default", "slwo"]) == []
    assert found(queues.retry_queues, ADAPTER="test") == []


def test_every_check_is_on_its_page_and_has_a_remedy():
    root = Path(checks.__file__).parents[2]
    source = "".join(path.read_text() for path in (root / "kiq_django").rglob("*.py"))
    known = set(re.findall(r"kiq_django\.([EWI]\d{3})", source)) | {"W003", "W004"}
    rows = re.findall(
        r"^\| `kiq_django\.(\w+)` \|(.*)\|$", (root / "docs/reference/checks.md").read_text(), re.MULTILINE
    )
    assert {number for number, _ in rows} == known
    assert all(all(cell.strip() for cell in rest.split("|")) for _, rest in rows)


def test_i001_hiredis(monkeypatch):
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    assert ids(found(connection.speed)) == ["I001"]
    assert found(connection.speed, ADAPTER="inline") == []
    monkeypatch.setattr(connection, "find_spec", lambda name: object())
    assert found(connection.speed) == []


def test_nothing_connects_without_deploy(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("connected"))
    for check in (*checks.ALWAYS, configuration.lasting_adapter, connection.speed):
        found(check, REDIS="redis://127.0.0.1:1/0")


def test_registered_under_their_tag():
    registry = django_checks.registry.CheckRegistry()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks.checks, "register", registry.register)
        checks.register_all()
    names = {check.__name__ for check in registry.get_checks(include_deployment_checks=True)}
    assert names == {check.__name__ for check in (*checks.ALWAYS, *checks.DEPLOYED)}
    assert {check.__name__ for check in registry.deployment_checks} == {check.__name__ for check in checks.DEPLOYED}
    with override_settings(KIQ={"ADAPTER": "redsi"}):
        assert ids(registry.run_checks(tags=[checks.TAG])) == ["E001"]


def test_importing_the_checks_does_not_import_redis():
    code = "import sys, kiq_django.checks; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
