"""Redis away, slow, full, read-only, locked, loading, or with others' data under our keys: never an error of ours."""

import contextlib
import shutil
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from kiq_django import conf
from kiq_django.store import connections
from tests import faults
from tests.admin.addresses import addresses
from tests.admin.test_junk import visit
from tests.admin.test_matrix import VIEWS, places
from tests.admin.world import World
from tests.support import round_trips, wait_for

TEXT = "plain"
QUICK = 0.2
"""Seconds after which the dashboard gives up in these tests; 2 otherwise."""
MOST_WAITS = 2
"""Times that a page may wait for that long: it is there within 4 seconds."""
FRAMES = {"index"}
"""Pages of the admin that show nothing of Redis."""


@pytest.fixture
def world(chief, store) -> World:
    return World(store, TEXT).make()


@pytest.fixture
def server(store, server_url) -> Iterator[redis.Redis]:
    """The connection of somebody who runs the server."""
    with redis.Redis(unix_socket_path=urlsplit(server_url).path) as client:
        yield client


@pytest.fixture
def use(settings, store) -> Callable[[str], None]:
    """Have the dashboard use another address."""

    def use(url: str) -> None:
        settings.KIQ = {**settings.KIQ, "REDIS": url}

    return use


@pytest.fixture
def proxy(server_url, use) -> Iterator[faults.Proxy]:
    """Between the dashboard and the server."""
    between = faults.Proxy(urlsplit(server_url).path)
    use(between.url)
    yield between
    between.close()


@pytest.fixture
def quick(monkeypatch):
    """The dashboard gives up soon, so that a test may wait for it on every page."""
    monkeypatch.setitem(connections.TIMEOUTS, "dashboard", QUICK)
    conf.reset()


def urls(world: World) -> dict[str, str]:
    """All pages."""
    found = {each.name: each.at(**places(world)) for each in addresses() if VIEWS[each.name].get == 200}
    return {**found, "index": reverse("admin:index"), "app_list": reverse("admin:app_list", args=["kiq"])}


def read(chief, world: World, status: int) -> dict[str, str]:
    """The text of every page that shows something of Redis; all have this status, but for the index of the app."""
    answers = {name: chief.get(url) for name, url in urls(world).items()}
    wrong = {name: answer.status_code for name, answer in answers.items() if answer.status_code != status}
    assert set(wrong) <= {*FRAMES, "app_list"}
    assert set(wrong.values()) <= {200}
    return {name: answer.content.decode() for name, answer in answers.items() if name not in FRAMES}


def say(pages: dict[str, str], *texts: str) -> None:
    """Every page says this, and no page tells a password."""
    assert [name for name, page in pages.items() if not all(text in page for text in texts)] == []
    assert [name for name, page in pages.items() if "canary" in page] == []


# -- no answer ---------------------------------------------------------------------------------------


def test_nobody_listens(chief, world, use):
    use("redis://ada:canary@127.0.0.1:1/0")
    say(read(chief, world, 503), "cannot be reached", "Check that it runs", "127.0.0.1:1")


def test_a_host_without_a_name(chief, world, use):
    use("redis://ada:canary@kiq.invalid:6379/0?password=canary")
    say(read(chief, world, 503), "cannot be reached")


@pytest.mark.parametrize("trouble", ["blackhole", "slow"])
def test_an_answer_that_does_not_come(chief, world, proxy, quick, trouble):
    if trouble == "slow":
        proxy.delay(1.5 * QUICK)
    waits = {}
    for name, url in urls(world).items():
        if trouble == "blackhole":
            proxy.blackhole()
        answer = chief.get(url)
        proxy.heal() if trouble == "blackhole" else None
        waits[name] = proxy.reset()  # after each time that it gave up, it has connected anew
        wait_for(lambda: not proxy._pairs)
        assert answer.status_code == (200 if name in {*FRAMES, "app_list"} else 503)
        assert name in FRAMES or "no answer within the time limit" in answer.content.decode()
    assert {name: number for name, number in waits.items() if number > MOST_WAITS} == {}


def test_a_page_gives_up_within_four_seconds(chief, world, proxy):
    proxy.blackhole()
    began = time.monotonic()
    assert chief.get("/admin/kiq/overview/").status_code == 503
    assert time.monotonic() - began < 4


class Loading(socketserver.StreamRequestHandler):
    """A server that has just been started."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line[:1] == b"*":
                for _ in range(2 * int(line[1:])):
                    self.rfile.readline()
                self.wfile.write(b"-LOADING Redis is loading the dataset in memory\r\n")


@pytest.fixture
def loading() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Loading) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()


def test_loading(chief, world, use, loading):
    use(loading)
    say(read(chief, world, 503), "is loading its data", "Try again in a moment")


@pytest.fixture
def locked(server) -> Iterator[None]:
    """The server wants a password that nobody here knows."""
    server.config_set("requirepass", "another")
    yield
    with contextlib.suppress(redis.AuthenticationError, redis.ConnectionError):
        server.execute_command("AUTH", "another")
    server.config_set("requirepass", "")


@pytest.mark.parametrize("user", ["", ":canary@"])
def test_no_password_or_a_wrong_one(chief, world, use, proxy, locked, user):
    use(proxy.url.replace("redis://", f"redis://{user}"))
    say(read(chief, world, 503), "refused the user, the password or the permission", "Check KIQ")


def test_a_user_who_may_not_read(chief, world, use, proxy, server):
    server.execute_command("ACL", "SETUSER", "kiq", "on", ">canary", "~nothing", "+ping", "+info", "+hello")
    try:
        use(proxy.url.replace("redis://", "redis://kiq:canary@"))
        say(read(chief, world, 503), "refused the user, the password or the permission")
    finally:
        server.execute_command("ACL", "DELUSER", "kiq")


# -- no writes ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def replica(server: redis.Redis) -> Iterator[None]:
    """It follows a master that is not there."""
    server.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        server.replicaof("NO", "ONE")


@contextlib.contextmanager
def unsaved(server: redis.Redis) -> Iterator[None]:
    """It cannot save its data: a directory is where the file should be."""
    target = Path(server.config_get("dir")["dir"]) / "dump.rdb"
    target.mkdir()
    (target / "full").touch()
    server.config_set("save", "3600 1")
    try:
        server.bgsave()
        wait_for(lambda: server.info()["rdb_last_bgsave_status"] == "err", what="the save that fails")
        yield
    finally:
        server.config_set("save", "")
        shutil.rmtree(target)
        server.save()  # it remembers its last save as a failed one otherwise, in all tests that follow
        target.unlink()


REFUSALS = {
    "full": (faults.full, "is full"),
    "replica": (replica, "does not accept writes"),
    "unsaved": (unsaved, "refuses writes"),
}


@pytest.mark.parametrize("trouble", REFUSALS)
def test_what_takes_no_writes_can_be_read(chief, world, server, trouble):
    begin, _said = REFUSALS[trouble]
    with begin(server):
        read(chief, world, 200)


@pytest.mark.parametrize("trouble", ["replica", "unsaved"])
def test_what_takes_no_writes_says_so_and_changes_nothing(chief, world, server, trouble):
    begin, said = REFUSALS[trouble]
    wrong = {}
    with begin(server):
        for url, data in deeds(world, each_verb=trouble == "replica"):
            before, noted = world.state(), LogEntry.objects.count()
            answer = chief.post(url, data, follow=True)
            is_same = (world.state(), LogEntry.objects.count()) == (before, noted)
            if answer.status_code != 200 or said not in told(answer) or not is_same:
                wrong[url, data.get("action")] = (answer.status_code, told(answer))
    assert wrong == {}


def test_a_full_server_says_so_or_does_it_and_loses_nothing(chief, world, server):
    """Deleting frees memory, and moving to where it is needed takes none: a full server may be drained."""
    wrong, done = {}, set()
    for url, data in deeds(world, each_verb=True):
        before, jobs = world.state(), world.jids()
        with faults.full(server):
            answer = chief.post(url, data, follow=True)
            said, is_same = "is full" in told(answer), world.state() == before
        lost = jobs - world.jids()
        is_wanted = data.get("action") in ("delete", "clear")
        if answer.status_code != 200 or said != is_same or (lost and not is_wanted):
            wrong[url, data.get("action")] = (answer.status_code, said, is_same, lost)
        if not is_same:
            done.add(data.get("action"))
            world.make()
    assert wrong == {}
    assert {"delete", "retry", "kill", "move"} <= done


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("/admin/kiq/queue/act/", {"action": "clear", "name": TEXT}),
        ("/admin/kiq/deadjob/", {"action": "delete", "select_across": 1, "index": 0, "_selected_action": ["x"]}),
    ],
)
def test_a_full_server_can_be_emptied(chief, world, server, url, data):
    before = world.number()
    with faults.full(server):
        chief.post(url, {**data, "confirmed": "yes", "token": "ab"})
    assert world.number() < before


def deeds(world: World, *, each_verb: bool) -> Iterator[tuple[str, dict]]:
    """What can be posted and changes something in Redis; of each page one deed alone, or all."""
    for address in addresses():
        found = [deed for deed in VIEWS[address.name].deeds if deed.redis]
        for deed in found if each_verb else found[:1]:
            yield address.at(**places(world)), deed.made(world)


def told(answer) -> str:
    """What a page says of the deed: messages, and errors of a form."""
    form = answer.context.get("form")
    errors = form.non_field_errors() if form and form.is_bound else ()
    return " ".join([*map(str, answer.context["messages"]), *errors])


def test_what_was_done_before_is_told_and_noted(chief, world, store, proxy, put):
    """The reply about the third of five jobs is lost."""
    jobs = [put("dead", number, jid=f"{number:024x}", name=f"shop.job{number}") for number in range(900, 905)]
    rows = {row.record.jid: row.pk for row in chief.get("/admin/kiq/deadjob/").context["cl"].result_list}
    proxy.drop_replies(1, to=b"shop.job902")
    data = {"action": "retry", "index": 0, "_selected_action": [rows[job.jid] for job in jobs]}
    answer = chief.post("/admin/kiq/deadjob/", data, headers={"referer": "http://testserver/admin/kiq/deadjob/?p=1"})
    text = answer.content.decode()
    assert answer.status_code == 503
    assert "2 jobs were sent to their queues." in text
    assert "Nobody knows whether this was done" in text
    assert 'href="/admin/kiq/deadjob/?p=1"' in text
    assert [entry.object_id for entry in LogEntry.objects.order_by("pk")] == [job.jid for job in jobs[:2]]
    assert {job.jid for job in jobs} <= world.jids()


# -- strangers under our keys ------------------------------------------------------------------------

WRONG = (("SET", "x"), ("RPUSH", "x"), ("ZADD", "1", "x"), ("HSET", "x", "x"), ("SADD", "x"))
EVERYWHERE = 12
"""Pages that read a key, from which on some of them will do."""


def readers(chief, world: World) -> dict[str, list[str]]:
    """The pages that read each key, as the bytes tell that they send."""
    keys = sorted(key.decode(errors="replace") for key in world.store.link.call("KEYS", "*"))
    found: dict[str, list[str]] = {key: [] for key in keys}
    for url in urls(world).values():
        conf.reset()  # what pages remember for a while is asked for again
        with round_trips() as sent:
            chief.get(url)
        asked = str(sent)
        for key in keys:
            if f"\\r\\n{key}\\r\\n" in asked:
                found[key].append(url)
    return found


def test_another_type_under_any_of_our_keys(chief, world):
    broken, number = {}, count()
    for key, pages in readers(chief, world).items():
        some = pages if len(pages) < EVERYWHERE else pages[:: len(pages) // 4]
        for url in some:
            name, *value = WRONG[next(number) % len(WRONG)]
            world.make()
            world.store.link.send([("DEL", key), (name, key, *value)])
            conf.reset()
            status = visit(chief, url)
            if status not in (200, 503):
                broken[key, name, url] = status
    assert broken == {}
    assert next(number) > 100
