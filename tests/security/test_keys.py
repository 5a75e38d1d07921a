"""No name that a payload, a call or a program chooses leads to a key that is something else."""

import inspect
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kiq_django import conf
from kiq_django.api import DeadSet, Queue, find_job
from kiq_django.exceptions import ConfigurationError
from kiq_django.features.metrics import Tally
from kiq_django.payload import Payload
from kiq_django.sections import queue_name_trouble
from kiq_django.store.keys import Keys
from kiq_django.store.queues import Entry
from kiq_django.worker.config import new_identity
from kiq_django.worker.reaper import Reaper
from tests.security.chance import patient
from tests.support import wait_for
from tests.worker.conftest import encoded

KINDS = {name: function for name, function in vars(Keys).items() if inspect.isfunction(function) and name[0] != "_"}
OF_A_PROCESS = {"process", "work", "workers", "signals"}
BARE = {"run_histogram_7", *OF_A_PROCESS}
"""Sidekiq puts nothing before the names of these: the shape of the name has to tell them apart."""

WORDS = [
    "default", "queue", "queues", "working", "owners", "paused", "processes", "served", "kiq", "job", "recovered",
    "retry", "dead", "schedule", "stat", "processed", "failed", "signals", "work", "workers", "guard", "open",
    "operations", "j", "h", "it", "marks", "20261122", "2026-11-22", "22-19:54", "1", "host:1:abc",
]  # fmt: skip
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).flatmap(
    lambda words: st.lists(st.sampled_from([":", "-", "|", ""]), min_size=len(words), max_size=len(words)).map(
        lambda signs: "".join(word + sign for word, sign in zip(words, signs, strict=True)).rstrip(":-|")
    )
)
"""What an attacker would call something, to meet a key of ours."""
queue_names = names.filter(lambda name: queue_name_trouble(name) is None)
VALUES = {
    "queue": queue_names,
    "owner": st.builds(lambda number: f"{new_identity()}:{number}", st.integers(0, 9)),
    "identity": st.builds(new_identity),
    "minute": st.sampled_from(["22-19:54", "2-9:4", "202611221954"]),
    "bucket": st.sampled_from(["20261122", "2026112219", "202611221954", "20261122|19:54", "261122|19:5"]),
    "day": st.sampled_from(["20261122", "2026-11-22"]),
}


def parameters(kind):
    return list(inspect.signature(KINDS[kind]).parameters.values())[1:]


def arguments(kind):
    return st.tuples(
        *(
            VALUES.get(each.name, names) if each.annotation is str else st.sampled_from(get_args(each.annotation))
            for each in parameters(kind)
        )
    )


@st.composite
def keys(draw, kinds):
    """A key, what it is the key of, and by which function."""
    kind = draw(st.sampled_from(sorted(kinds)))
    given = draw(arguments(kind))
    return KINDS[kind](Keys(), *given), kind, given


def told_apart_by(kind, given):
    """The arguments that are in the key: Sidekiq's layout has no queue in some."""
    marks = [
        f"<{each.name}>" if each.annotation is str else value
        for each, value in zip(parameters(kind), given, strict=True)
    ]
    shape = KINDS[kind](Keys(), *marks)
    return [value for mark, value in zip(marks, given, strict=True) if str(mark) in shape]


@patient
@given(keys(set(KINDS) - BARE), keys(set(KINDS) - BARE))
def test_two_things_never_have_one_key(one, other):
    if one[0] == other[0]:
        assert (one[1], told_apart_by(*one[1:])) == (other[1], told_apart_by(*other[1:]))


@patient
@given(keys({"process", "work", "workers", "signals"}), keys(set(KINDS) - BARE))
def test_a_process_of_ours_has_keys_of_its_own(process, other):
    """Its identity ends in chance, so nobody can call a queue or a job like it beforehand."""
    nonce = process[2][0].rpartition(":")[2]
    assume(nonce not in other[0])
    assert process[0] != other[0]


declared = st.from_regex(r"[a-z_]+(\.[A-Za-z_]+){1,4}", fullmatch=True) | st.from_regex(
    r"[A-Z][a-z]+(::[A-Z][a-z]+)*", fullmatch=True
)


@patient
@given(declared, VALUES["minute"], keys(set(KINDS) - {"run_histogram_7"}))
def test_a_histogram_of_a_declared_job_has_a_key_of_its_own(name, minute, other):
    assert Keys().run_histogram_7(name, minute) != other[0]


def counted_as(name, **fields):
    """The name under which a job that nobody declares here is counted."""
    outcome = type("Outcome", (), {"payload": Payload({"class": name, "jid": "j", **fields}), "definition": None})
    return Tally()._name(outcome)


SHAPES = [
    "queue:x",
    "queue::x",
    "kiq:recovered:x",
    "kiq:owners:x",
    "it",
    "kiq:job:x",
    "h|x",
    "deploylock",
    "x\n",
    "a b",
]


@pytest.mark.parametrize("stem", SHAPES)
def test_a_histogram_of_a_stranger_has_a_key_of_its_own(stem):
    assert [counted_as(stem), counted_as("x", wrapped=stem)] == ["other", "other"]


@patient
@given(names, VALUES["minute"], keys(set(KINDS) - {"run_histogram_7"}))
def test_no_name_of_a_stranger_leads_elsewhere(name, minute, other):
    assert Keys().run_histogram_7(counted_as(name), minute) != other[0]


@pytest.mark.parametrize(
    "name",
    [
        "shop.jobs.send", "send", "_send2", "HardJob", "Shop::HardJob", "A::B::C", "ActionMailer::MailDeliveryJob",
        "Sidekiq::ActiveJob::Wrapper", "Shop::Mailer.welcome", "Größe.Über", "Ä::Ö",
    ],
)  # fmt: skip
def test_names_of_python_and_ruby_are_counted_as_they_are(name):
    assert counted_as(name) == name
    assert counted_as("Sidekiq::ActiveJob::Wrapper", wrapped=name) == name


@patient
@given(names, names)
def test_a_prefix_keeps_everything_apart(one, other):
    assume(not one.startswith(other) and not other.startswith(one))
    for kind in KINDS:
        given = ["x"] * len(parameters(kind))
        assert KINDS[kind](Keys(one), *given).startswith(one)
        assert KINDS[kind](Keys(one), *given) != KINDS[kind](Keys(other), *given)


@pytest.mark.parametrize(
    "name", ["", "a b", "a\n", "a\x00", "ü", "a" * 129, "a/b", "a*", "{a}", "a?", "[a]", "\\a", "a|b"]
)
def test_what_is_no_name_of_a_queue(name, settings):
    assert queue_name_trouble(name)
    settings.KIQ = {"QUEUES": [name]}
    with pytest.raises(ConfigurationError, match="is not a queue name"):
        conf.get()


HOSTILE_QUEUES = [
    "queues", "queue:default", "default:working", "working", "owners", "kiq:owners:default", "kiq:working:default",
    "kiq:served", "retry", "dead", "schedule", "processes", "paused", "kiq:paused", "stat:processed", "default-signals",
    "1:abc", ".", ":", "-", "a" * 128,
]  # fmt: skip


def test_queues_that_are_called_like_our_keys(start, store, declare, done):
    declare(done.append, name="note")
    for number, queue in enumerate(HOSTILE_QUEUES):
        store.queues.push([Entry(queue, encoded("note", number, queue=queue))])
        store.queues.push([Entry(queue, encoded("note", 1000 + number, queue=queue), 1.5)])
    start(dict.fromkeys(HOSTILE_QUEUES, 0))
    wait_for(lambda: len(done) == 2 * len(HOSTILE_QUEUES))
    assert sorted(done) == sorted([*range(len(HOSTILE_QUEUES)), *range(1000, 1000 + len(HOSTILE_QUEUES))])
    assert sorted(store.queues.names()) == sorted(HOSTILE_QUEUES)
    for queue in HOSTILE_QUEUES:
        Queue(queue).pause("me")
        assert Queue(queue).clear() == 0
        assert Queue(queue).resume()


HOSTILE_JIDS = [
    " ", "*", "a*", "[a]", "?", "\\", "\n", "\r\n", "\x00", "\x1b[2J", "../../x", "a:b:c", "<script>", "{x}", "ü",
    "\u2028", "\U0001f600", "kiq:served", "default", "x" * 10_000, "0" * 24, "%s", "22-19:54",
]  # fmt: skip


def test_jids_of_any_kind(start, store, declare, done):
    def doomed(number):
        done.append(number)
        raise ValueError(number)

    declare(done.append, name="note")
    declare(doomed, retry=0)
    for number, jid in enumerate(HOSTILE_JIDS):
        store.queues.push([Entry("default", encoded("note", number, jid=jid))])
        store.queues.push([Entry("default", encoded("doomed", number, jid=jid, retry=0))])
    start()
    wait_for(lambda: store.sets.count("dead") == len(HOSTILE_JIDS))
    wait_for(lambda: len(done) == 2 * len(HOSTILE_JIDS))
    assert {job.jid for job in DeadSet()} == set(HOSTILE_JIDS)
    for jid in HOSTILE_JIDS:
        found = find_job(jid)
        assert found is None or found.jid == jid


def test_jobs_of_any_jid_are_taken_back_from_the_dead(store):
    raws = [encoded("note", jid=jid) for jid in HOSTILE_JIDS]
    store.queues.push([Entry("default", raw) for raw in raws])
    store.working.register("gone:1:a", ["default"], 30)
    assert len(store.working.turn([], "gone:1:a", ["default"], 100).taken) == len(raws)
    assert Reaper(store, 5, 30).reap("default", "gone:1:a", force=True) == len(raws)
    assert sorted(store.queues.page("default", 0, 100)) == sorted(raws)
