"""Taking back the jobs of processes that are gone."""

import pytest

from kiq_django import api, signals
from kiq_django import store as stores
from kiq_django.api import diagnosis, why
from kiq_django.exceptions import StoreError, StoreUnavailable
from kiq_django.payload import PARTITION_KEY, Payload
from kiq_django.store.queues import Entry
from kiq_django.store.suspects import Suspects
from kiq_django.store.working import Batch
from kiq_django.worker.reaper import PoisonError, Reaper
from tests.support import round_trips, wait_for
from tests.worker.conftest import encoded


def take(store, owner, number=9, lease=0):
    """Reserve what waits on `default`, in whatever lists."""
    lists = store.lists("default")
    store.working.register(owner, lists, lease)
    return store.working.turn([], owner, lists, number).taken


def reap(store, owner, **options):
    """Take back what it held there. Returns how many jobs that were."""
    return sum(Reaper(store, 5, 30).reap(name, owner, **options) for name in store.lists("default"))


def key(store, suffix):
    """The one key that ends so, wherever it lies."""
    (name,) = store.link.client.keys(f"*{suffix}")
    return name


def test_after_an_outage_the_living_may_renew_first(own_server, settings):
    settings.KIQ = {**settings.KIQ, "REDIS": {"url": own_server.url, "socket_timeout": 0.3}}
    store = stores.get()
    reaper = Reaper(store, 5, lease=0.2)
    store.queues.push([Entry("default", encoded("job"))])
    store.working.register("alive", ["default"], 0.2)
    assert store.working.turn([], "alive", ["default"], 1).taken
    reaper.tick()
    own_server.freeze()
    with pytest.raises(StoreUnavailable):
        reaper.tick()
    own_server.thaw()
    wait_for(own_server.answers)
    reaper.tick()
    assert store.working.renew("alive", ["default"], 30)


def test_what_a_dead_process_held_is_run_by_another(start, declare, push, store, done):
    declare(done.append, name="note")
    raws = [push("note", number) for number in range(250)]
    assert len(take(store, "dead:1:a", 250, lease=30)) == len(raws)
    store.working.register("dead:1:a", store.lists("default"), 0)
    start(concurrency=1)
    wait_for(lambda: len(done) == 250)
    assert sorted(done) == list(range(250))


def test_what_nobody_serves_is_taken_back_all_the_same(start, store, push, waiting):
    """The reaper of any worker does it, whatever queues that worker has."""
    push("note", 1, queue="elsewhere")
    store.working.register("dead:1:a", ["elsewhere"], 30)
    store.working.turn([], "dead:1:a", ["elsewhere"], 1)
    store.working.register("dead:1:a", ["elsewhere"], 0)
    start()
    wait_for(lambda: waiting("elsewhere") == [1])


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"\xff\xfe", b'{"class":"a","jid":"\\ud800","args":[]}', b"[" * 9000]
)
def test_what_cannot_be_read_is_taken_back_and_in_the_end_buried(store, raw):
    store.queues.push([Entry("default", raw)])
    for number in range(3):
        assert [found for _, found in take(store, f"owner {number}")] == [raw]
        assert reap(store, f"owner {number}") == 1
        store.suspects.let_out(["default"])
    assert [dead for dead, _ in store.sets.page("dead", 0, 9)] == [raw]
    assert store.queues.page("default", 0, 9) == []


def test_a_death_is_told_with_its_reason(store, push):
    told = []

    def tell(payload, error, **_):
        told.append((payload.jid, type(error), payload.document["error_class"]))

    raw = push("note", jid="j")
    signals.job_dead.connect(tell)
    try:
        for number in range(3):
            assert told == []
            take(store, f"owner {number}")
            reap(store, f"owner {number}")
            store.suspects.let_out(["default"])
    finally:
        signals.job_dead.disconnect(tell)
    assert told == [("j", PoisonError, "kiq_django.worker.reaper.PoisonError")]
    [(dead, _)] = store.sets.page("dead", 0, 9)
    assert Payload.decode(dead).args == Payload.decode(raw).args


def test_a_false_death_counts_once(store, push):
    push("note", jid="j")
    ((name, _),) = take(store, "me", lease=30)
    waiter = store.link.client.connection_pool.make_connection()
    waiter.connect()
    working = key(store, f"kiq:working:{name}:me")
    queue = working.replace(b"kiq:working", b"queue").removesuffix(b":me")
    waiter.send_command("BLMOVE", queue, working, "RIGHT", "LEFT", 5)
    wait_for(lambda: store.link.client.info("clients")["blocked_clients"])
    reap(store, "me", force=True)
    waiter.disconnect()
    assert store.link.call("GET", key(store, "kiq:recovered:j")) == b"1"


class TestSuspects:
    """Jobs that were twice in the hands of a worker that died."""

    @pytest.fixture
    def die(self, store):
        """Have a worker take what is there, and die."""

        def died(name, number=9):
            taken = take(store, name, number)
            reap(store, name)
            return [Payload.decode(raw).args[0] for _, raw in taken]

        return died

    @pytest.fixture
    def three(self, store, push, die):
        """Three of them, in one list; nothing else is there."""
        for number in range(3):
            push("note", number, **{PARTITION_KEY: "one"})
        assert die("first") == die("second") == [0, 1, 2]
        return store.suspects

    def test_they_are_let_out_one_at_a_time_in_order(self, three, store, waiting):
        assert waiting() == []
        assert three.let_out(["default"])
        assert three.let_out(["default"]) == "", "it waits"
        ((name, raw),) = take(store, "third", lease=30)
        assert three.let_out(["default"]) == "", "it runs"
        store.working.turn([Batch("third", name, [raw])], "third", [], 0)
        assert three.let_out(["default"]) == name
        assert waiting() == [1]

    def test_whoever_came_since_the_look_may_have_the_one_that_is_out(self, three, store, monkeypatch):
        """A worker begins to serve the queue, and takes it, between the look and the step."""
        three.let_out(["default"])
        look = Suspects._out

        def late(own):
            monkeypatch.undo()
            seen = look(own)
            assert take(store, "new", lease=30)
            return seen

        monkeypatch.setattr(Suspects, "_out", late)
        assert three.let_out(["default"]) == ""
        assert three.let_out(["default"]) == "", "it runs"

    def test_only_the_killer_dies_for_the_third_time(self, three, store, push, die, waiting):
        push("note", 3)
        three.let_out(["default"])
        assert sorted(die("third")) == [0, 3]
        assert [Payload.decode(raw).args for raw, _ in store.sets.page("dead", 0, 9)] == [[0]]
        assert waiting() == [3]
        assert list(three.sizes(["default"]).values()) == [2]

    def test_one_that_takes_long_holds_the_others_up_for_a_while(self, three, store):
        three.let_out(["default"])
        out = key(store, "kiq:suspect")
        assert 0 < store.link.call("TTL", out) <= 600
        store.link.call("DEL", out)
        assert three.let_out(["default"])

    def test_of_several_queues_one_is_out_too(self, three, store, push):
        push("note", 3, queue="other")
        for owner in ("first", "second"):
            store.working.register(owner, ["other"], 0)
            assert store.working.turn([], owner, ["other"], 9).taken
            Reaper(store, 5, 30).reap("other", owner)
        assert three.sizes(["other"]) == {"other": 1}
        assert three.let_out(["default", "other"])
        assert three.let_out(["default", "other"]) == ""

    def test_a_paused_queue_keeps_its_own(self, three, store):
        store.queues.pause("default", {})
        assert three.let_out(["default"]) == ""
        store.queues.resume("default")
        assert three.let_out(["default"])

    def test_they_are_seen_found_and_cleared(self, three, store):
        jid = Payload.decode(three.held(["default"])[0][1]).jid
        job = api.look_up(jid, store=store).job
        assert (job.queue, job.is_suspect, job.actions) == ("default", True, frozenset())
        assert why.why_job(job, store).verdict.startswith("The job is held back in queue “default”: two workers died")
        assert why.why_queue("default", store).level != "ok"
        (point,) = [point for point in why.why_queue("default", store).points if point.code == "suspects"]
        assert point.text.startswith("3 jobs are held back")
        assert api.Queue("default", store).summary().suspects == 3
        assert "one at a time" in str(diagnosis.diagnose())
        assert store.queues.clear("default") == 3
        assert three.sizes(["default"]) == {}

    def test_a_queue_of_another_type_loses_none(self, three, store):
        queue = key(store, "kiq:suspects:default*").replace(b"kiq:suspects", b"queue")
        store.link.call("SET", queue, "not ours")
        with pytest.raises(StoreError):
            three.let_out(["default"])
        store.link.call("DEL", queue)
        assert sum(three.sizes(["default"]).values()) == 3
        assert three.let_out(["default"])

    def test_a_lease_in_force_keeps_its_jobs(self, three, store):
        three.let_out(["default"])
        ((name, raw),) = take(store, "alive", lease=30)
        assert three.isolate(name, "alive", [(raw, "another")], 60) == 0

    def test_with_none_it_costs_one_round_trip(self, store):
        with round_trips() as sent:
            assert store.suspects.let_out(["other"]) == ""
        assert len(sent) == 1
