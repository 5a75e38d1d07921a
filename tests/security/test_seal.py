"""Nobody without the key makes a job run, or changes what one does; everybody may still move it about."""

import hmac
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import adapters, client, conf, job
from kiq_django.api import DeadSet, Queue, RetrySet, ScheduledSet
from kiq_django.checks import configuration
from kiq_django.exceptions import ConfigurationError, MalformedPayload, UnknownJob
from kiq_django.features import seal
from kiq_django.features.seal import FIELD, OPEN_FIELDS, SealBroken, refuse_forged, sealed
from kiq_django.payload import ABSENT, Payload
from kiq_django.store.queues import Entry
from kiq_django.wire import in_milliseconds
from tests.jobsapp import jobs
from tests.security.chance import patient
from tests.support import wait_for
from tests.worker.conftest import encoded

FEATURE = "kiq_django.features.seal"
OLD, NEW = "an older key, long enough", "a newer key, long enough"


@pytest.fixture(autouse=True)
def _sealing(settings):
    settings.KIQ = {**settings.KIQ, "FEATURES": [FEATURE]}


def refuses(payload: Payload) -> bool:
    try:
        refuse_forged(payload)
    except SealBroken:
        return True
    return False


def made(*args, **fields) -> Payload:
    fields = {"queue": "default", "retry": True, "now": 1795318639.913464, **fields}
    return Payload.new("tests.jobsapp.jobs.record", args, {}, **fields)


RICH = made(7, {"a": [1.5, None, "ü\u2028"]}, tags=["x"], retry_for=60.5, rich=True)


# --- what is sealed ---


def test_what_is_enqueued_is_sealed_and_runs(adapter, done):
    jobs.record.enqueue(5)
    (waiting,) = adapter.enqueued()
    assert len(waiting.document[FIELD]) == 43
    adapter.drain()
    assert done == [5]


def test_every_way_in_is_sealed(adapter, done):
    jobs.record.enqueue_in(0.001, 1)
    jobs.record.enqueue_all([(2,), (3,)])
    jobs.record.using(queue="low").enqueue(4)
    jobs.sync.enqueue(5)
    assert all(FIELD in payload.document for payload in adapter.enqueued())
    adapter.drain(until=time.time() + 1)
    assert sorted(done) == [1, 2, 3, 4, 5]


def test_perform_now_needs_none(done):
    jobs.record.perform_now(1)
    jobs.sync.perform_now(2)
    assert done == [1, 2]


def test_a_job_inside_of_perform_now_is_sealed_and_checked(adapter, done):
    jobs.chain.perform_now(1)
    adapter.drain()
    assert done == [1, 0]


def test_without_the_feature_nothing_is_there(kiq):
    kiq(FEATURES=[])
    jobs.record.enqueue(1)
    assert FIELD not in adapters.get().enqueued()[0].document


# --- what breaks it ---


COVERED = [
    {"class": "tests.jobsapp.jobs.fail"},
    {"args": [8]},
    {"args": [7.0, {"a": [1.5, None, "ü\u2028"]}]},
    {"kwargs": {"value": 1}},
    {"jid": "0" * 24},
    {"retry": False},
    {"retry_for": 61},
    {"retry_queue": "elsewhere"},
    {"dead": False},
    {"tags": ["y"]},
    {"tags": ABSENT},
    {"rich": ABSENT},
    {"created_at": 1795318639.915},
    {"created_at": ABSENT},
    {"created_at": "1795318639.913464"},
    {"wrapped": "x"},
    {"bid": "b"},
    {"whatever": 1},
]


@pytest.mark.parametrize("change", COVERED, ids=str)
def test_what_counts_cannot_be_changed(change):
    assert refuses(sealed(RICH).evolve(**change))


CHANGES_IN_LIFE = {
    "queue": "elsewhere",
    "at": 5.5,
    "enqueued_at": 6,
    "retry_count": 3,
    "error_class": "E",
    "error_message": "m",
    "error_backtrace": "eJw=",
    "error_frame": "f",
    "failed_at": 7.5,
    "retried_at": 8.5,
    "discarded_at": 9.5,
    "kiq_parked": {"since": 1.5, "times": 1, "retry_count": None},
}


@pytest.mark.parametrize("field", CHANGES_IN_LIFE)
def test_what_changes_during_a_life_may(field):
    assert not refuses(sealed(RICH).evolve(**{field: CHANGES_IN_LIFE[field]}))


def test_every_open_field_is_looked_at_here():
    assert {*CHANGES_IN_LIFE, FIELD} >= OPEN_FIELDS


def test_each_form_of_the_time_is_the_same_time():
    assert not refuses(in_milliseconds(sealed(RICH)))
    assert not refuses(sealed(in_milliseconds(RICH)))


def test_each_spelling_of_the_same_json_is_the_same_job():
    document = sealed(RICH).document
    other = json.dumps(dict(sorted(document.items(), reverse=True)), ensure_ascii=True, indent=1)
    assert not refuses(Payload.decode(other.encode()))


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@patient
@given(st.dictionaries(texts, st.none() | numbers | texts))
def test_a_seal_survives_the_wire(arguments):
    payload = sealed(made(arguments))
    assert not refuses(Payload.decode(payload.encode()))
    assert refuses(Payload.decode(payload.encode()).evolve(args=[{**arguments, "x ": 1}]))


@pytest.mark.parametrize("wrong", ["", "x", "ü", 5, True, [], {}, "A" * 43, "\x00" * 43], ids=repr)
def test_a_seal_that_is_none(wrong):
    assert refuses(sealed(RICH).evolve(**{FIELD: wrong}))


def test_a_seal_of_another_job():
    assert refuses(RICH.evolve(**{FIELD: sealed(made(8)).document[FIELD]}))


def test_whichever_byte_is_flipped():
    """Unreadable, unknown or refused; what passes says the same in all that counts."""
    original = sealed(RICH.evolve(enqueued_at=1795318639.9))
    raw, passed = original.encode(), 0
    for at in range(len(raw)):
        for bit in (1, 2, 4, 32):
            flipped = bytearray(raw)
            flipped[at] ^= bit
            try:
                payload = Payload.decode(bytes(flipped))
            except MalformedPayload:
                continue
            if not refuses(payload):
                passed += 1
                assert seal._content(payload) == seal._content(original)
                assert payload.document[FIELD] == original.document[FIELD]
    assert passed < 200, "only digits of the times and letters of the queue may change"


def test_the_comparison_takes_no_time_that_tells_anything(monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append((one, other)) or False)
    assert refuses(sealed(RICH))
    assert [type(one) for pair in compared for one in pair] == [bytes, bytes]


# --- keys ---


def test_keys_change_in_two_steps(kiq):
    kiq(SEAL={"keys": [OLD]})
    payload = sealed(RICH)
    kiq(SEAL={"keys": [NEW, OLD]})
    assert not refuses(payload)
    assert sealed(RICH).document[FIELD] != payload.document[FIELD]
    kiq(SEAL={"keys": [NEW]})
    assert refuses(payload)


def test_by_default_it_is_the_secret_key(settings):
    payload = sealed(RICH)
    settings.SECRET_KEY = "another"
    assert refuses(payload)
    settings.SECRET_KEY_FALLBACKS = ["only for tests"]
    assert not refuses(payload)


def test_a_key_signs_nothing_else_alike(settings):
    content = seal._content(RICH)
    plain = hmac.digest(settings.SECRET_KEY.encode(), content, "sha256")
    assert seal._signature(content, seal._keys()[0]) != seal.urlsafe_b64encode(plain).decode().rstrip("=")


@pytest.mark.parametrize("keys", ["short", ["short"], [5], ["canary-" * 2], 5, "canary-canary-canary-"])
def test_a_key_that_is_none_is_refused_and_not_shown(keys, settings):
    settings.KIQ = {"SEAL": {"keys": keys}}
    with pytest.raises(ConfigurationError) as caught:
        conf.get()
    assert "16 characters or more" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_keys_are_not_in_what_is_printed_of_the_settings(kiq):
    kiq(SEAL={"keys": ["canary-canary-canary"]}, REDIS="redis://u:canary@h")
    assert "canary" not in repr(conf.get())


# --- who needs none ---


def test_jobs_that_others_push_are_named(kiq):
    assert refuses(made(1))
    kiq(SEAL={"unsealed": ["tests.jobsapp.jobs.record"]})
    assert not refuses(made(1))
    assert refuses(made(1).evolve(**{"class": "tests.jobsapp.jobs.fail"}))
    assert refuses(sealed(made(1)).evolve(args=[2])), "a seal that is there must be right"


def test_a_job_of_rails_is_named_by_its_own_class(kiq):
    wrapped = Payload.new("Sidekiq::ActiveJob::Wrapper", [{"job_class": "HardWorker", "arguments": []}], {},
                          queue="default", retry=True, now=1)  # fmt: skip
    kiq(SEAL={"unsealed": ["Sidekiq::ActiveJob::Wrapper", "tests.jobsapp.jobs.record"]})
    assert refuses(wrapped)
    kiq(SEAL={"unsealed": ["HardWorker"]})
    assert not refuses(wrapped)


def test_a_time_without_is_possible(kiq):
    kiq(SEAL={"required": False})
    assert not refuses(made(1))
    assert refuses(sealed(made(1)).evolve(args=[2]))


def test_fields_that_others_add(kiq):
    added = sealed(made(1)).evolve(cattr={"user": 1})
    assert refuses(added)
    kiq(SEAL={"open_fields": ["cattr"]})
    assert not refuses(added)


# --- in a worker ---


def test_a_forged_job_is_dead_at_once_and_none_of_its_code_runs(start, store, declare, kiq, members):
    ran = []

    def harmless(*args):
        ran.append(args)

    async def later(*args):
        ran.append(args)

    hooks = {"retries_exhausted": lambda *a: ran.append("hook"), "retry_in": lambda *a: ran.append("hook")}
    declare(harmless, retry=25, discard_on=[SealBroken], **hooks)
    declare(later)
    forged = [
        encoded("harmless", 1, retry=25, dead=False),
        encoded("later", 2, retry=False),
        sealed(Payload.new("harmless", [3], {}, queue="default", retry=25, now=1)).evolve(args=[4]).encode(),
    ]
    store.queues.push([Entry("default", raw) for raw in forged])
    start()
    wait_for(lambda: store.sets.count("dead") == 3)
    dead = [Payload.decode(raw).document for raw in members("dead")]
    assert {each["error_class"] for each in dead} == {"kiq_django.features.seal.SealBroken"}
    assert sorted("no seal" in each["error_message"] for each in dead) == [False, True, True]
    assert ran == []
    assert store.sets.count("retry") == 0


def test_a_sealed_job_fails_is_retried_and_succeeds(start, store, declare, kiq):
    ran = []

    def shaky(value):
        ran.append(value)
        if len(ran) == 1:
            raise ValueError("once")

    shaky = declare(shaky, retry_in=lambda count, error: 0.001)
    shaky.enqueue(7)
    start()
    wait_for(lambda: store.sets.count("retry") == 1)
    (failed,) = RetrySet()
    failed.retry()
    wait_for(lambda: ran == [7, 7])
    assert store.sets.count("dead") == 0


def test_whoever_moves_it_about_does_not_break_it(start, store, declare):
    ran = []

    def moved(value):
        ran.append(value)

    moved = declare(moved)
    moved.using(on_commit=False).enqueue_in(3600, 1)
    (scheduled,) = ScheduledSet()
    scheduled.move("elsewhere")
    (scheduled,) = ScheduledSet()
    scheduled.kill()
    (dead,) = DeadSet()
    dead.retry()
    Queue("elsewhere").move_all("default")
    start()
    wait_for(lambda: ran == [1])


def test_an_unknown_name_stays_unknown(start, store, kiq):
    store.queues.push([Entry("default", encoded("os.system", "true"))])
    start()
    wait_for(lambda: store.sets.count("retry") == 1)
    (raw,) = [raw for raw, _ in store.sets.page("retry", 0, 1)]
    assert Payload.decode(raw).document["error_class"].endswith(UnknownJob.__name__)


# --- the feature ---


def test_it_must_stand_last(kiq):
    assert seal.stands_last() == []
    kiq(FEATURES=[FEATURE, "kiq_django.features.metrics"])
    (found,) = seal.stands_last()
    assert found.id == "kiq_django.E004"


def test_rules_without_the_feature_are_told(kiq):
    assert list(configuration.seal()) == []
    kiq(SEAL={"required": False})
    assert list(configuration.seal()) == []
    kiq(FEATURES=[])
    assert [found.id for found in configuration.seal()] == ["kiq_django.W009"]


async def test_an_async_job_is_checked_without_a_thread():
    check = seal.feature.server

    async def proceed(payload):
        return payload.args

    assert await check.acall(sealed(made(5)), proceed) == [5]
    with pytest.raises(SealBroken):
        await check.acall(made(5), proceed)


def test_a_job_that_was_sealed_is_not_larger_than_it_has_to_be():
    assert len(sealed(made(1)).encode()) - len(made(1).encode()) == len(f',"{FIELD}":""') + 43


def test_a_client_link_before_it_is_sealed_too(kiq, adapter, done):
    kiq(MIDDLEWARE={"client": ["tests.security.test_seal.tagging"]})
    adapters.get.cache_clear()
    client.push(made(1), on_commit=False)
    (waiting,) = adapters.get().enqueued()
    assert waiting.tags == ["linked"]
    assert not refuses(waiting)


def tagging(payload, proceed):
    return proceed(payload.evolve(tags=["linked"]))


def test_declared_jobs_say_nothing_of_it():
    with pytest.raises(ConfigurationError, match="unknown option 'seal'"):
        job(name="odd", seal=True)(lambda: None).enqueue()
