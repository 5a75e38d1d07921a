"""No password of a Redis URL is ever shown: not in errors, checks, the doctor, log lines, tables or a `repr`."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from hypothesis import example, given
from hypothesis import strategies as st

from kiq_django import checks, conf
from kiq_django import store as stores
from kiq_django.api import diagnosis
from kiq_django.exceptions import ConfigurationError, KiqError, StoreError
from kiq_django.store import connections, urls
from kiq_django.worker.os_signals import SignalPipe
from kiq_django.worker.runner import Runner
from tests.faults import Proxy
from tests.security.chance import patient
from tests.worker.test_runner import WorkerConfig

CANARY = "c4n4ry"
CLOSED = "127.0.0.1:1"
"""Nobody listens there."""

WORKING = [
    f"redis://:{CANARY}@{CLOSED}/0",
    f"redis://user:{CANARY}@{CLOSED}/0",
    f"rediss://user:{CANARY}@{CLOSED}/0",
    f"valkey://user:{CANARY}@{CLOSED}/0",
    f"redis://{CLOSED}/0?password={CANARY}",
    f"redis://{CANARY}:x@{CLOSED}/0",
    f"unix://user:{CANARY}@/nowhere/at/all.sock?db=0",
    {"url": f"redis://{CLOSED}/0", "password": CANARY},
    {"url": f"redis://user:{CANARY}@{CLOSED}/0", "socket_timeout": 1},
    {"sentinels": [("127.0.0.1", 1)], "master": "m", "password": CANARY, "sentinel_kwargs": {"password": CANARY}},
    "cache",
]
BROKEN = [
    f"redis://user:{CANARY}@{CLOSED}/none",
    f"redis://user:{CANARY}@{CLOSED}:port/0",
    f"redis://user:pa/{CANARY}@{CLOSED}/0",
    f"redis://user:pa#{CANARY}@{CLOSED}/0",
    f"redis://user:pa?{CANARY}@{CLOSED}/0",
    f"redis://user:pa@{CANARY}@{CLOSED}/0?db=x",
    f"http://user:{CANARY}@{CLOSED}/0",
    f"user:{CANARY}@{CLOSED}",
    f"user:{CANARY}@{CLOSED}/0",
    f":{CANARY}@{CLOSED}",
    {"url": f"redis://user:{CANARY}@[::1/0"},
    {"url": f"redis://user:{CANARY}@{CLOSED}/0", "cluster": True},
    {"url": f"redis://user:{CANARY}@{CLOSED}/0", "retry": CANARY},
    {"url": f"redis://user:{CANARY}@{CLOSED}/0", "pasword": CANARY},
    {"password": CANARY},
    [f"redis://user:{CANARY}@{CLOSED}/0"],
    (f"redis://user:{CANARY}@{CLOSED}/0",),
    {f"redis://user:{CANARY}@{CLOSED}/0"},
    b"redis://user:c4n4ry@127.0.0.1:1/0",
]


def shape(value):
    return str(value).replace(CANARY, "SECRET")


@pytest.fixture(params=[*WORKING, *BROKEN], ids=shape)
def anywhere(request, settings):
    """A Redis with a password that is away, or settings that lead to none."""
    location = f"redis://user:{CANARY}@{CLOSED}/0"
    settings.CACHES = {"cache": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}}
    settings.KIQ = {"REDIS": request.param, "ADAPTER": "redis", "FEATURES": []}
    yield request.param
    connections.forget()


def test_the_errors_of_every_call(anywhere):
    with pytest.raises((ConfigurationError, StoreError)) as caught:
        stores.get().queues.names()
    chain: BaseException | None = caught.value
    while chain is not None:
        assert CANARY not in f"{chain} {chain!r}"
        chain = chain.__cause__ or chain.__context__


def test_the_system_checks(anywhere):
    found = [message for check in (*checks.ALWAYS, *checks.DEPLOYED) for message in check(app_configs=None)]
    assert found
    assert CANARY not in repr(found)


def test_the_doctor(anywhere):
    assert CANARY not in repr(diagnosis.diagnose())
    for options in ({"json": True}, {}):
        out, err = io.StringIO(), io.StringIO()
        with pytest.raises(CommandError) as caught:
            call_command("kiq", "doctor", stdout=out, stderr=err, **options)
        assert CANARY not in out.getvalue() + err.getvalue() + str(caught.value)


def test_every_word_of_the_command(anywhere):
    for word in ("stats", "queues", "dead", "processes"):
        with pytest.raises(CommandError) as caught:
            call_command("kiq", word)
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize("value", WORKING, ids=shape)
def test_what_is_printed_of_our_objects(value, settings):
    location = f"redis://user:{CANARY}@{CLOSED}/0"
    settings.CACHES = {"cache": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}}
    settings.KIQ = {"REDIS": value, "ADAPTER": "redis"}
    store = stores.get()
    for each in (conf.get(), store, store.target, store.link, store.link.client, store.keys, store.queues):
        assert CANARY not in f"{each} {each!r}"


@pytest.mark.parametrize("kiq", [f"redis://u:{CANARY}@h", [f"redis://u:{CANARY}@h"], {"SEAL": [f"{CANARY * 4}"]}])
def test_settings_of_the_wrong_kind(kiq, settings):
    settings.KIQ = kiq
    with pytest.raises(ConfigurationError) as caught:
        conf.get()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("name", ["REDIS_URL", "REDIS_PROVIDER"])
@pytest.mark.parametrize("url", [f"redis://user:{CANARY}@{CLOSED}/none", f"user:{CANARY}@{CLOSED}"])
def test_variables(name, url):
    environ = {name: url} if name == "REDIS_URL" else {name: "MY_URL", "MY_URL": url}
    for variables in (environ, {"REDIS_PROVIDER": url}):
        with pytest.raises(ConfigurationError) as caught:
            connections.resolve(None, variables)
        assert CANARY not in str(caught.value)


def test_the_lines_of_a_worker_that_waits_for_its_redis(settings, lines):
    settings.KIQ = {"REDIS": f"redis://user:{CANARY}@{CLOSED}/0", "ADAPTER": "redis", "FEATURES": []}
    written = lines("json")
    pipe = SignalPipe()
    pipe.tell("TERM")
    assert Runner(WorkerConfig(capsules=[]), stores.get, pipe).run() == 0
    found = written()
    assert CANARY not in "".join(found)
    assert any("Redis" in json.loads(line)["msg"] for line in found)


def test_a_password_that_redis_refuses(own_server, settings):
    """The server's own words about it are in the message."""
    url = own_server.url.replace("unix://", f"unix://user:{CANARY}@") + "?db=0"
    settings.KIQ = {"REDIS": url, "ADAPTER": "redis"}
    with pytest.raises(KiqError, match="refused the user, the password or the permission") as caught:
        stores.get().queues.names()
    assert CANARY not in str(caught.value)


def test_a_connection_that_breaks(server_url, settings, lines):
    proxy = Proxy(server_url.removeprefix("unix://"))
    try:
        settings.KIQ = {"REDIS": {"url": proxy.url, "client_name_of_mine": CANARY}, "ADAPTER": "redis"}
        with pytest.raises(ConfigurationError) as caught:
            stores.get()
        assert CANARY not in str(caught.value)
    finally:
        proxy.close()


secrets = st.text(min_size=1).map(lambda text: f"{text}{CANARY}")


@patient
@given(st.sampled_from(["redis", "rediss", "unix", "valkey", "", "x"]), st.text(), secrets, st.text())
@example("redis", "u", f"a@b/{CANARY}", "h?x=1")
@example("redis", "u", f"a?{CANARY}", "h#@x")
def test_no_url_shows_its_password(scheme, user, password, host):
    separator = "://" if scheme else ""
    assert CANARY not in urls.masked(f"{scheme}{separator}{user}:{password}@{host}")


@patient
@given(st.text(), secrets)
@example("?", CANARY)
def test_no_refusal_shows_a_password(user, password):
    with pytest.raises(ConfigurationError) as caught:
        connections.target(f"redis://{user}:{password}@host:port/0")
    assert CANARY not in str(caught.value)
