"""Users of Redis with the rights that `manage.py kiq acl` prints, on a real server: what each needs it may, and that is
all; and the table behind it is what the code does."""

import io
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from kiq_django import api, conf, job
from kiq_django import store as stores
from kiq_django.api import diagnosis, situation
from kiq_django.exceptions import StoreRefused
from kiq_django.payload import Payload
from kiq_django.store import acl
from kiq_django.store.keys import Keys
from kiq_django.store.queues import Entry
from kiq_django.worker.reaper import Reaper
from tests.acceptance.process import ROOT
from tests.security import audit
from tests.support import wait_for
from tests.tasks import sample
from tests.worker.conftest import encoded

PASSWORD = "only for this test"
ROLES = {role.name: role for role in acl.roles()}
BY_THE_OWNER = {"CONFIG"}
"""Commands that the store tries and does without: CONFIG GET, which tells the doctor more."""


# --- the table is what the code does ---


@pytest.fixture(scope="module")
def known(server_url):
    """Every command of the server, in upper case."""
    import redis

    with redis.Redis(unix_socket_path=server_url.removeprefix("unix://")) as client:
        return frozenset(name.upper() for name in client.command())


def granted(role):
    """First words of what a role may, in upper case."""
    return {command.partition("|")[0].upper() for grant in role.grants for command in grant.commands}


@pytest.mark.parametrize("path", audit.sources(), ids=lambda path: path.name)
def test_every_command_of_the_store_is_in_the_table(path, known):
    missing = audit.commands_of(path, known) - granted(ROLES["worker"]) - BY_THE_OWNER
    assert missing == set(), "add them to READ, ACT or WORK of kiq_django/store/acl.py: `kiq acl` would deny them"


@pytest.mark.parametrize("script", audit.scripts(), ids=lambda path: path.stem)
def test_every_command_of_a_script_is_in_the_table(script):
    calls = audit.calls_of(script)
    assert calls or script.stem == "tell"
    assert {function for function, _ in calls} <= {"call"}, "scripts use redis.call alone"
    commands = {arguments[0] for _, arguments in calls}
    assert [command for command in commands if command.strip("'") == command] == [], "a command has to be a plain text"
    missing = {command.strip("'") for command in commands} - granted(ROLES["worker"])
    assert missing == set(), "add them to READ, ACT or WORK of kiq_django/store/acl.py: `kiq acl` would deny them"


@pytest.mark.parametrize("script", audit.scripts(), ids=lambda path: path.stem)
def test_a_script_touches_declared_keys_alone(script):
    keys = audit.keys_by_name(script)
    others = [
        arguments[:2]
        for _, arguments in audit.calls_of(script)
        if len(arguments) > 1 and not audit.is_declared(arguments[1]) and arguments[1] not in keys
    ]
    assert others == [], "a key has to come from KEYS as it is: a cluster, and an ACL, must know it before"


def test_nothing_stands_in_the_table_that_nobody_uses(known):
    used = {command for path in audit.sources() for command in audit.commands_of(path, known)}
    used |= {arguments[0].strip("'") for script in audit.scripts() for _, arguments in audit.calls_of(script)}
    connecting = {"HELLO", "PING", "SELECT", "CLIENT", "MULTI", "EXEC", "DISCARD", "INFO", "TIME"}
    assert {command for role in ROLES.values() for command in granted(role)} - used - connecting == set()


def test_the_kinds_that_the_table_names_exist():
    named = {kind.partition(":")[0] for role in ROLES.values() for grant in role.grants for kind in grant.kinds}
    assert named == acl.kinds()
    assert acl.ENGINES | acl.COUNTS | {kind for kind, _ in acl.SHAPES} <= acl.kinds()


# --- what is printed ---


def printed(*arguments, **options):
    out = io.StringIO()
    call_command("kiq", "acl", *arguments, stdout=out, **options)
    return out.getvalue()


def test_a_line_for_each_role(kiq):
    lines = printed().splitlines()
    names = ("producer", "outbox", "tasks", "dashboard-read", "dashboard-write", "worker")
    assert [line.split()[:3] for line in lines] == [["ACL", "SETUSER", f"kiq-{name}"] for name in names]
    assert all(">" not in line and "nopass" not in line for line in lines), "no password is printed, and none changed"
    assert printed("worker", "--users", "shop-").split()[2] == "shop-worker"


def test_a_prefix_is_before_every_key(kiq):
    kiq(PREFIX="shop:")
    for text in (printed(), printed("--prefix", "shop:")):
        patterns = [word.partition("~")[2] for word in text.replace("(", " ").split() if "~" in word]
        assert patterns
        assert [pattern for pattern in patterns if not pattern.startswith("shop:")] == []


def test_a_prefix_is_taken_by_its_letters():
    assert "~a\\*b\\[c\\]:queue:*" in printed("--prefix", "a*b[c]:")


def test_it_is_for_programs_too():
    found = json.loads(printed("producer", "--json"))
    assert [each["role"] for each in found] == ["producer"]
    assert "%W~queue:*" in " ".join(found[0]["rules"])


@pytest.mark.parametrize("prefix", ["a b", "a\nACL SETUSER default on nopass ~* +@all", "a)", "'", '"'])
def test_no_prefix_adds_a_rule(prefix):
    with pytest.raises(CommandError, match="cannot stand in a rule"):
        printed("--prefix", prefix)


def test_a_role_that_is_none():
    with pytest.raises(CommandError, match="no role 'admin'"):
        printed("admin")


# --- on a server ---


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with the users that `kiq acl` prints."""
    from tests.store.servers import bare, redis_server

    with redis_server(tmp_path_factory.mktemp("acl")) as server, bare(server.port) as owner:
        if int(owner.info()["redis_version"].partition(".")[0]) < 7:
            pytest.skip("selectors need Redis 7")
        yield server, owner


@pytest.fixture(params=["", "shop:"], ids=["no prefix", "prefix"])
def prefix(request):
    return request.param


@pytest.fixture
def owner(guarded, prefix):
    """The owner of an empty server whose users have their rights."""
    _, client = guarded
    client.flushall()
    for role in ROLES.values():
        name = f"kiq-{role.name}"
        for line in (acl.line(role, prefix, name), acl.line(role, prefix, name)):  # twice: it may be run again
            client.execute_command(*line.split(" (")[0].split(), *selectors(line))
        client.execute_command("ACL", "SETUSER", name, "on", f">{PASSWORD}")
    client.execute_command("ACL", "LOG", "RESET")
    return client


def selectors(line):
    return [f"({part}" for part in line.split(" (")[1:]]


@pytest.fixture
def as_role(owner, guarded, prefix, settings):
    """Be a role from here on."""
    server, _ = guarded

    @contextmanager
    def become(name):
        url = f"redis://kiq-{name}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{server.port}/0"
        features = ["kiq_django.features.metrics"] if name == "worker" else []
        before = settings.KIQ
        settings.KIQ = {**before, "REDIS": url, "PREFIX": prefix, "ADAPTER": "redis", "FEATURES": features}
        yield stores.get()
        settings.KIQ = before
        assert refused(owner) == []

    return become


TRIED = {"config|get", "client|setinfo", "process_cleanup", "shop:process_cleanup"}
"""What is tried, and done without: more for the doctor, the name of the library, and a list of processes without the
dead, who are passed over anyway."""


def refused(owner):
    """What the server has denied since the log was emptied: what, to whom, and why."""
    entries = [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in owner.execute_command("ACL", "LOG")]
    words = [tuple(entry[name].decode() for name in (b"object", b"username", b"reason")) for entry in entries]
    return [word for word in words if word[0] not in TRIED]


def jobs(number, **fields):
    return [encoded("note", n, jid=f"jid{n}", **fields) for n in range(number)]


@pytest.fixture
def filled(owner, guarded, prefix, settings):
    """Something of everything, put there by the owner."""
    server, _ = guarded
    settings.KIQ = {**settings.KIQ, "REDIS": f"redis://127.0.0.1:{server.port}/0", "PREFIX": prefix, "ADAPTER": "redis"}
    store = stores.get()
    store.queues.push([Entry("default", raw) for raw in jobs(20)])
    store.queues.push([Entry("default", raw, 5e9) for raw in jobs(20, display_class="later")])
    for name in ("retry", "dead"):
        for raw in jobs(20, retry_count=1, error_class="E", error_message=name, failed_at=1.5):
            store.sets.add(name, raw, time.time())
    store.processes.beat("host:1:abc", {"info": json.dumps({"queues": ["default"], "identity": "host:1:abc"})}, {})
    store.queues.pause("other", {"by": "me"})
    store.link.call("SADD", store.keys.queues(), "other")


def test_a_producer(as_role, prefix):
    @job(name="acl_note")
    def note(*args): ...

    with as_role("producer") as store:
        note.enqueue(1)
        note.enqueue_in(60, 2)
        note.enqueue_all([(n,) for n in range(2_500)])
        note.using(queue="bulk").enqueue(3)
        store.processes.ping()


def test_who_enqueues_by_way_of_an_outbox(as_role, prefix):
    with as_role("outbox") as store:
        for _ in range(2):
            store.deliveries.push_once(["j"], [Entry("a", b"1")])
            store.deliveries.forget(["j"])


def test_who_enqueues_tasks(as_role, prefix):
    with as_role("tasks") as store:
        first = sample.add.enqueue(1)
        sample.add.using(priority=5).enqueue(2)
        sample.add.using(run_after=timedelta(hours=1)).enqueue(3)
        first.refresh()
        store.tasks.lives("host:1:abc")


def test_a_producer_cannot_look(as_role, owner):
    with as_role("producer") as store:
        for look in (
            lambda: store.queues.page("default", 0, 1),
            lambda: store.queues.names(),
            lambda: store.sets.page("schedule", 0, 1),
            lambda: store.queues.clear("default"),
            lambda: store.sets.add("dead", b"x", 1),
        )[:4]:
            with pytest.raises(StoreRefused, match="refused the user, the password or the permission"):
                look()
        owner.execute_command("ACL", "LOG", "RESET")


def test_a_worker(as_role, start, declare, owner, prefix):
    ran = []

    def note(value):
        ran.append(value)

    async def note_async(value):
        ran.append(value)

    def fails(value):
        raise ValueError(value)

    with as_role("worker") as store:
        note, note_async, fails = declare(note), declare(note_async), declare(fails, retry_in=lambda *a: 3600)
        dies = declare(lambda value: 1 / 0, name="dies", retry=0)
        store.queues.push([Entry("default", b"no job at all")])
        store.working.register("gone:1:abc", ["default"], 30)
        store.working.turn([], "gone:1:abc", ["default"], 1)
        identity = "host:1:123abc"
        launcher = start({"default": 0, "bulk": 0}, heartbeat=0.1, poll_interval=0.1, identity=identity)
        for n in range(50):
            note.enqueue(n)
        note_async.enqueue(50)
        note.enqueue_in(0.2, 51)
        fails.enqueue(1)
        dies.enqueue(1)
        wait_for(lambda: sorted(ran) == list(range(52)))
        wait_for(lambda: store.sets.count("retry") == 1 and store.sets.count("dead") >= 1)
        Reaper(store, 5, 30).reap("default", "gone:1:abc", force=True)
        wait_for(lambda: store.sets.count("dead") == 2)
        store.link.call("LPUSH", store.keys.signals(identity), "TSTP")
        wait_for(lambda: store.counters.totals()[0] >= 54)
        store.processes.prune()
        (failed,) = api.RetrySet()
        failed.retry()
        wait_for(lambda: len(owner.keys("*")) > 10)
        launcher.stop(5)


def read_all(store):
    api.Stats()
    list(api.History(7))
    api.Queue.summaries(names=["default", "other"])
    list(api.Queue("default"))
    for each in (api.ScheduledSet(), api.RetrySet(), api.DeadSet()):
        each.page(0, 10)
        assert each.size == 20
        assert len(list(each.scan("jid1"))) == 11
        assert each.find("jid3")
    assert api.find_job("jid7")
    list(api.ProcessSet())
    list(api.WorkSet())
    for minutes in (5, 60, 1_440):
        api.Metrics().top_jobs(minutes)
    diagnosis.server(store)
    diagnosis.workers(store)


WORDS = ["stats", "queues", "scheduled", "retries", "dead", "processes", "running", "metrics"]


def test_a_reader(filled, as_role):
    with as_role("dashboard-read") as store:
        read_all(store)
        for word in WORDS:
            call_command("kiq", word, "--json", stdout=io.StringIO())


@pytest.mark.parametrize("role", ["dashboard-read", "dashboard-write", "worker"])
def test_a_process_that_is_none_spoils_nobodys_view(filled, as_role, owner, prefix, role):
    """Its name leads to a key that is none of ours: whoever may not read that passes it over."""
    owner.sadd(Keys(prefix).processes(), "session:abc", "javascript:x")
    with as_role(role) as store:
        read_all(store)
        assert [process.identity for process in api.ProcessSet()] == ["host:1:abc"]
        situation.look(store)
        if role == "worker":
            store.processes.prune()
        owner.execute_command("ACL", "LOG", "RESET")


def test_a_reader_changes_nothing(filled, as_role, owner, prefix):
    keys = Keys(prefix)
    before = {key: owner.dump(key) for key in owner.keys("*")}
    with as_role("dashboard-read") as store:
        for deed in (
            lambda: next(iter(api.RetrySet())).retry(),
            lambda: next(iter(api.RetrySet())).kill(),
            lambda: next(iter(api.DeadSet())).delete(),
            lambda: api.Queue("default").clear(),
            lambda: api.Queue("default").pause("me"),
            lambda: api.Queue("other").resume(),
            lambda: next(iter(api.ProcessSet())).quiet(),
            lambda: store.counters.reset_totals(),
            lambda: store.queues.push([Entry("default", b"x")]),
            lambda: store.link.call("EVAL", "return redis.call('DEL', KEYS[1])", 1, keys.queue("default")),
            lambda: store.link.call("SET", keys.queue("default"), "x"),
        ):
            with pytest.raises(StoreRefused):
                deed()
        owner.execute_command("ACL", "LOG", "RESET")
    assert {key: owner.dump(key) for key in owner.keys("*")} == before


def test_a_writer(filled, as_role):
    with as_role("dashboard-write") as store:
        read_all(store)
        next(iter(api.RetrySet())).retry()
        next(iter(api.RetrySet())).kill()
        next(iter(api.RetrySet())).reschedule(time.time() + 60)
        next(iter(api.DeadSet())).retry()
        next(iter(api.DeadSet())).delete()
        next(iter(api.ScheduledSet())).add_to_queue()
        next(iter(api.ScheduledSet())).move("bulk")
        queued = list(api.Queue("default"))
        queued[0].delete()
        queued[1].kill()
        queued[2].move("bulk")
        queued[3].reschedule(time.time() + 60)
        api.Queue("default").pause("me", "why")
        api.Queue("default").resume()
        api.RetrySet().retry_all("jid11")
        api.DeadSet().delete_all("jid12")
        api.Queue("bulk").move_all("other")
        for process in api.ProcessSet():
            process.quiet()
        api.Metrics().mark("v1")
        store.counters.reset_totals()
        api.Queue("default").clear()
        api.DeadSet().clear()
        Payload.new("note", [], {}, queue="default", retry=True, now=1.5)
        store.queues.push([Entry("default", encoded("note"))])


def test_a_writer_leaves_the_engine_alone(filled, as_role, owner, prefix):
    keys = Keys(prefix)
    with as_role("dashboard-write") as store:
        for command in (
            ("ZADD", keys.owners("default"), 1, "x"),
            ("LPUSH", keys.working("default", "x"), "x"),
            ("LREM", keys.working("default", "x"), 1, "x"),
            ("SADD", keys.served(), "x"),
            ("HSET", keys.process("host:1:abc"), "info", "x"),
        ):
            with pytest.raises(StoreRefused):
                store.link.call(*command)
        owner.execute_command("ACL", "LOG", "RESET")


FORBIDDEN = (
    """
KEYS *|SCAN 0|RANDOMKEY|FLUSHALL|FLUSHDB|SWAPDB 0 1|DBSIZE|CONFIG SET dir /tmp|CONFIG GET requirepass|CONFIG REWRITE
DEBUG SLEEP 0|SCRIPT FLUSH|SCRIPT KILL|SCRIPT LOAD x|FUNCTION FLUSH|SHUTDOWN|SAVE|BGSAVE|BGREWRITEAOF|REPLICAOF h 1
MODULE LOAD /tmp/x.so|MODULE LIST|ACL LIST|ACL SETUSER x|ACL GETUSER default|CLIENT LIST|CLIENT KILL ID 1|CLIENT PAUSE 1
CLIENT NO-EVICT on|MONITOR|SLOWLOG GET|LATENCY LATEST|MIGRATE h 1 k 0 1|RESTORE k 0 x|DUMP k|SORT k|OBJECT HELP|SYNC
PUBLISH c m|SUBSCRIBE c|PSUBSCRIBE *|CLUSTER INFO|FAILOVER|PSYNC ? -1|RENAME a b|COPY a b|MOVE a 1|GETDEL other
GET session:abc|SET other x|APPEND other x|LRANGE other 0 1|EVAL x 1 other|SUNION a b|TOUCH other|PERSIST other
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("role", ROLES)
def test_what_nobody_may(role, owner):
    allowed = [
        command
        for command in FORBIDDEN
        if owner.execute_command("ACL", "DRYRUN", f"kiq-{role}", *command.split()) in (b"OK", "OK", True)
    ]
    assert allowed == []


@pytest.mark.parametrize("role", ROLES)
def test_no_dangerous_command_but_those_that_are_told(role, owner):
    told = {"info"} | ({"client|unblock"} if role == "worker" else set())
    dangerous = {name.decode() for name in owner.execute_command("ACL", "CAT", "dangerous")}
    named = {command for grant in ROLES[role].grants for command in grant.commands}
    assert named & dangerous == told
    assert not [command for command in named if command.startswith("@") or command == "client"]


@pytest.mark.parametrize("role", ["worker", "dashboard-read", "dashboard-write"])
def test_a_script_may_no_more_than_its_user(role, owner, guarded):
    import redis

    server, _ = guarded
    with redis.Redis(port=server.port, username=f"kiq-{role}", password=PASSWORD) as client:
        for command in ("FLUSHALL", "KEYS', '*", "GET', 'session:abc", "CONFIG', 'GET', 'dir", "SCRIPT', 'FLUSH"):
            with pytest.raises(redis.ResponseError, match=r"(?i)permission|can.t run|can.t access|not allowed"):
                client.eval(f"return redis.call('{command}')", 0)


def test_users_may_be_given_their_rights_again_and_keep_their_passwords(as_role, owner):
    with as_role("worker") as store:
        store.processes.ping()
    assert conf.get().prefix == ""


SOME = ("security/test_roles.py", "worker/test_poller.py", "admin/test_queues.py")
"""Tests that are run here under the users of the parts of the product; `make roles` runs all."""


def test_other_tests_under_these_users():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *(f"tests/{path}" for path in SOME),
    ]
    environment = {**os.environ, "KIQ_TEST_ROLES": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5_000:]


# --- the look at the code sees what it is for ---


@pytest.mark.parametrize(
    "text",
    [
        "redis.call('GET', 'key')",
        "redis.call('GET', ARGV[1])",
        "redis.call('GET', KEYS[1] .. ':x')",
        "redis.call('GET', 'kiq:' .. KEYS[1])",
        "local key = ARGV[1]\nredis.call('GET', key)",
        "local key = KEYS[1] .. 'x'\nredis.call('GET', key)",
        "local key = KEYS[1]\nkey = ARGV[1]\nredis.call('GET', key)",
        "local a, key = KEYS[1], ARGV[1]\nredis.call('GET', key)",
        "for _, key in ipairs(ARGV) do redis.call('GET', key) end",
        "redis.call('GET', f(KEYS[1]))",
    ],
)
def test_a_key_that_nobody_declared_is_seen(text, tmp_path):
    script = tmp_path / "bad.lua"
    script.write_text(text)
    ((_, arguments),) = audit.calls_of(script)
    assert not audit.is_declared(arguments[1])
    assert arguments[1] not in audit.keys_by_name(script)


def test_keys_that_were_declared_are_seen_too(tmp_path):
    script = tmp_path / "good.lua"
    script.write_text(
        "-- redis.call('NOT', this)\n"
        "local t, key = redis.call('TIME'), KEYS[tonumber(ARGV[1]) + 1]\n"
        "if redis.call('HLEN', key) < 3 then redis.call('HSET', KEYS[names[1]], 'a,b)', f(1, {2})) end"
    )
    (_, time_), (_, length), (_, put) = audit.calls_of(script)
    assert time_ == ["'TIME'"]
    assert length == ["'HLEN'", "key"]
    assert "key" in audit.keys_by_name(script)
    assert put == ["'HSET'", "KEYS[names[1]]", "'a,b)'", "f(1, {2})"]
    assert audit.is_declared(put[1])


def test_every_way_to_name_a_command_is_seen(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        'class A:\n    def a(self, pipe):\n        pipe.get("k")\n        pipe.delete("k")\n'
        '        self._link.call("SET", "k")\n        self._link.send([("INCR", "k")])\n'
        '        self._link.client.zrange("k")\n        connection.send_command("BLMOVE")\n        "LIMIT"'
    )
    known = frozenset({"GET", "SET", "DEL", "INCR", "ZRANGE", "BLMOVE", "APPEND"})
    assert audit.commands_of(path, known) == known - {"APPEND"}
