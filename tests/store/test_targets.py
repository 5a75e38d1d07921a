"""What `KIQ["REDIS"]` may say, and what it must not."""

import pytest

from kiq_django.exceptions import ConfigurationError
from kiq_django.store import targets
from kiq_django.store.urls import masked

SECRET = "s3cr3t"


def problem(value, **kwargs) -> str:
    with pytest.raises(ConfigurationError) as caught:
        targets.target(value, **kwargs)
    return str(caught.value)


class TestUrls:
    @pytest.mark.parametrize(
        ("given", "meant"),
        [
            ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
            ("rediss://h:6380/2", "rediss://h:6380/2"),
            ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
            ("valkey://h/1", "redis://h/1"),
            ("valkeys://h/1", "rediss://h/1"),
            ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ],
    )
    def test_good(self, given, meant):
        target = targets.target(given)
        assert (target.kind, target.options) == ("url", {"url": meant})

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ("localhost:6379", "Did you mean 'redis://localhost:6379'?"),
            ("localhost:6379/2", "Did you mean 'redis://localhost:6379/2'?"),
            ("http://localhost:6379", "Use redis://host:6379/0"),
            ("redis:/localhost", "Use redis://host:6379/0"),
            ("redis://localhost:port/0", "host or port is not readable"),
            ("redis://localhost:6379/jobs", "is not a number"),
            ("redis://localhost:6379?db=jobs", "is not a number"),
            ("unix://run/redis.sock", "unix:///path/to.sock"),
            ("redis://[::1/0", "host or port is not readable"),
            ("", "neither a Redis URL nor a cache"),
            ("nowhere", "neither a Redis URL nor a cache of CACHES (default): 'nowhere'"),
        ],
    )
    def test_bad_ones_come_with_the_remedy(self, value, words):
        message = problem(value)
        assert message.startswith('KIQ["REDIS"] is n')
        assert words in message

    def test_the_message_names_the_place_of_the_value(self):
        assert problem("h:1", source='KIQ["QUEUES"]["bulk"]["redis"]').startswith('KIQ["QUEUES"]["bulk"]["redis"]')

    @pytest.mark.parametrize("value", [None, 5, b"redis://h", ["redis://h"]])
    def test_other_types(self, value):
        assert "must be a text or a dict" in problem(value)


class TestMasking:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            (f"redis://user:{SECRET}@h:6379/0", "redis://h:6379/0"),
            (f"rediss://:{SECRET}@h/0?ssl_cert_reqs=none", "rediss://h/0"),
            (f"redis://h/0?password={SECRET}", "redis://h/0"),
            (f"unix:///run/r.sock?password={SECRET}", "unix:///run/r.sock"),
            (f":{SECRET}@h:6379", "h:6379"),
        ],
    )
    def test_what_is_shown(self, url, shown):
        assert masked(url) == shown

    @pytest.mark.parametrize(
        "password",
        [
            SECRET,
            f"a@{SECRET}",
            f"{SECRET}@a",
            f"a/{SECRET}",
            f"{SECRET}?{SECRET}",
            f"#{SECRET}@",
            f"@?{SECRET}",
        ],
    )
    @pytest.mark.parametrize(
        "form",
        [
            "redis://:{}@host:6379/0",
            "http://u:{}@host",
            ":{}@host:6379",
            "redis://host/0?password={}",
            "redis://:{}@",
        ],
    )
    def test_no_message_and_no_repr_has_the_password(self, form, password):
        try:
            shown = repr(targets.target(form.format(password))) + str(targets.target(form.format(password)))
        except ConfigurationError as error:
            shown = str(error)
        assert SECRET not in shown
        assert SECRET not in masked(form.format(password))

    def test_options_are_not_in_the_repr(self):
        target = targets.target({"url": "redis://h", "password": SECRET, "username": SECRET})
        assert repr(target) == "Target(kind='url', label='redis://h')"


class TestUnset:
    def test_this_host(self):
        assert targets.resolve(None, {}).options == {"url": "redis://127.0.0.1:6379/0"}

    def test_redis_url(self):
        assert targets.resolve(None, {"REDIS_URL": "redis://a/1"}).label == "redis://a/1"

    def test_an_empty_variable_is_unset(self):
        assert targets.resolve(None, {"REDIS_URL": "", "REDIS_PROVIDER": ""}).label == "redis://127.0.0.1:6379/0"

    def test_redis_provider_names_the_variable(self):
        environ = {
            "REDIS_PROVIDER": "REDISCLOUD_URL",
            "REDISCLOUD_URL": "redis://b/2",
            "REDIS_URL": "redis://a/1",
        }
        assert targets.resolve(None, environ).label == "redis://b/2"

    def test_the_setting_goes_first(self):
        assert targets.resolve("redis://c", {"REDIS_PROVIDER": "X", "REDIS_URL": "redis://a"}).label == "redis://c"

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({"REDIS_PROVIDER": f"redis://:{SECRET}@h"}, "REDIS_PROVIDER must name the variable"),
            ({"REDIS_PROVIDER": "NOWHERE", "REDIS_URL": "redis://a"}, "'NOWHERE', which is not set"),
            ({"REDIS_URL": "localhost:6379"}, "REDIS_URL is not a Redis URL: 'localhost:6379'. Did you mean"),
            ({"REDIS_PROVIDER": "MINE", "MINE": "http://h"}, "MINE is not a Redis URL"),
        ],
    )
    def test_bad_variables(self, environ, words):
        with pytest.raises(ConfigurationError) as caught:
            targets.resolve(None, environ)
        assert words in str(caught.value)
        assert SECRET not in str(caught.value)


class TestDicts:
    def test_url_and_options(self):
        target = targets.target({"url": "valkeys://h/1", "ssl_ca_certs": "/ca.pem"})
        assert target.options == {"url": "rediss://h/1", "ssl_ca_certs": "/ca.pem"}
        assert target.label == "rediss://h/1"

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ({"host": "h"}, 'a dict without "url"'),
            ({"url": "h:1"}, 'KIQ["REDIS"]["url"] is not a Redis URL: \'h:1\''),
            ({"url": None}, 'KIQ["REDIS"]["url"] must be a text'),
            (
                {"url": "redis://h", "retry_on_timeout": True},
                "sets retry_on_timeout, which kiq_django decides itself",
            ),
            ({"sentinels": [("h", 1)]}, 'no "master"'),
            ({"sentinels": [], "master": "m"}, 'must be a list of ("host", port)'),
            ({"sentinels": "h:1", "master": "m"}, 'must be a list of ("host", port)'),
            ({"sentinels": [("h", "port")], "master": "m"}, 'must be a list of ("host", port)'),
        ],
    )
    def test_bad(self, value, words):
        assert words in problem(value)

    def test_cluster_false_is_a_plain_server(self):
        assert targets.target({"url": "redis://h", "cluster": False}) == targets.target({"url": "redis://h"})

    def test_sentinels(self):
        target = targets.target({"sentinels": [("a", 26379), "b:26380"], "master": "m", "password": SECRET})
        assert target.kind == "sentinel"
        assert target.options["sentinels"] == [("a", 26379), ("b", 26380)]
        assert str(target) == "sentinel://a:26379,b:26380/m"
        assert SECRET not in repr(target)


class TestEquality:
    def test_equal_values_are_one_target(self):
        first, second = (targets.target({"url": "redis://h", "socket_timeout": 2}) for _ in range(2))
        assert first == second
        assert hash(first) == hash(second)

    def test_passwords_tell_targets_apart(self):
        assert targets.target("redis://:a@h") != targets.target("redis://:b@h")


class TestEmbedded:
    def test_default_directory_is_below_the_project(self, settings, tmp_path):
        settings.BASE_DIR = tmp_path
        target = targets.target("embedded:")
        assert (target.kind, target.options) == ("embedded", {"directory": str(tmp_path / ".kiq")})

    def test_without_base_dir_the_working_directory(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert targets.target("embedded:").options == {"directory": str(tmp_path / ".kiq")}

    def test_path(self, settings, tmp_path):
        settings.BASE_DIR = str(tmp_path)
        assert targets.target("embedded:/var/x").label == "embedded:/var/x"
        assert targets.target("embedded:data").options == {"directory": str(tmp_path / "data")}


class TestCaches:
    DJANGO = "django.core.cache.backends.redis.RedisCache"
    DJANGO_REDIS = "django_redis.cache.RedisCache"

    @staticmethod
    def read(settings, backend: str, **cache) -> targets.Target:
        settings.CACHES = {
            "default": {"BACKEND": TestCaches.DJANGO, "LOCATION": "redis://no"},
            "jobs": {"BACKEND": backend, **cache},
        }
        return targets.target("jobs")

    def test_django(self, settings):
        target = self.read(settings, self.DJANGO, LOCATION="redis://a/1", OPTIONS={"password": SECRET, "db": 4})
        assert (target.kind, target.label) == ("cache", "redis://a/1")
        assert target.options == {"url": "redis://a/1", "password": SECRET, "db": 4}
        assert SECRET not in repr(target)

    @pytest.mark.parametrize("backend", [DJANGO, DJANGO_REDIS])
    @pytest.mark.parametrize("location", [["redis://a/1", "redis://b/1"], ("redis://a/1",), "redis://a/1,redis://b/1"])
    def test_the_first_server_is_the_one_for_writes(self, settings, backend, location):
        assert self.read(settings, backend, LOCATION=location).options == {"url": "redis://a/1"}

    def test_options_of_django_redis(self, settings):
        options = {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "USERNAME": "jobs",
            "PASSWORD": SECRET,
            "SOCKET_TIMEOUT": 2,
            "SOCKET_CONNECT_TIMEOUT": 1,
            "CONNECTION_POOL_KWARGS": {
                "max_connections": 50,
                "retry_on_timeout": True,
                "ssl_cert_reqs": None,
            },
            "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
            "IGNORE_EXCEPTIONS": True,
        }
        target = self.read(settings, self.DJANGO_REDIS, LOCATION="valkeys://a/1", OPTIONS=options)
        assert target.options == {
            "url": "rediss://a/1",
            "username": "jobs",
            "password": SECRET,
            "socket_timeout": 2,
            "socket_connect_timeout": 1,
            "max_connections": 50,
            "retry_on_timeout": True,
            "ssl_cert_reqs": None,
        }

    def test_sentinel_of_django_redis(self, settings):
        options = {
            "SENTINELS": [("a", 1), ("b", 2)],
            "SENTINEL_KWARGS": {"password": SECRET},
            "PASSWORD": SECRET,
        }
        target = self.read(settings, self.DJANGO_REDIS, LOCATION="redis://main/3", OPTIONS=options)
        assert (target.kind, target.label) == ("sentinel", "sentinel://a:1,b:2/main")
        assert target.options["db"] == 3
        assert target.options["master"] == "main"
        assert SECRET not in repr(target)

    @pytest.mark.parametrize(
        ("cache", "words"),
        [
            (
                {"backend": "django.core.cache.backends.locmem.LocMemCache"},
                "'jobs', which is not a Redis cache but django.",
            ),
            ({"backend": "nowhere.Cache"}, "whose BACKEND cannot be imported"),
            ({"backend": DJANGO}, "has no LOCATION"),
            ({"backend": DJANGO_REDIS, "LOCATION": []}, "has no LOCATION"),
            (
                {"backend": DJANGO, "LOCATION": f":{SECRET}@h:1"},
                'CACHES["jobs"]["LOCATION"] is not a Redis URL: \'h:1\'',
            ),
            (
                {
                    "backend": DJANGO_REDIS,
                    "LOCATION": "redis://a",
                    "OPTIONS": {"CLIENT_CLASS": "django_redis.client.ShardClient"},
                },
                "spreads its keys over servers",
            ),
        ],
    )
    def test_bad(self, settings, cache, words):
        with pytest.raises(ConfigurationError) as caught:
            self.read(settings, **cache)
        assert words in str(caught.value)
        assert SECRET not in str(caught.value)
