"""Names in payloads cannot make the metrics, the memory of a worker, or a page grow without end."""

from kiq_django import registry, secret_names
from kiq_django.execution import Outcome
from kiq_django.features.metrics import MOST_STRANGERS, OTHER, Flusher, Tally
from kiq_django.log.job_journal import MOST_RUNNING, JobJournal
from kiq_django.payload import Payload
from kiq_django.redaction import is_secret
from tests.jobsapp import jobs  # noqa: F401 - declares the jobs

RECORD = "tests.jobsapp.jobs.record"
MANY = 10_000


def ended(name, **fields):
    payload = Payload({"class": name, "jid": name, "args": [], **fields})
    return Outcome(payload, "default", registry.find(name))


def names_in(tally):
    return set(tally.take(1.0).jobs)


def test_ten_thousand_names_are_few_labels():
    tally = Tally()
    for number in range(MANY):
        tally.add([ended(f"stranger{number}"), ended(RECORD, wrapped=f"inside{number}"), ended(RECORD)])
    found = names_in(tally)
    assert {OTHER, RECORD} <= found
    assert len(found) == MOST_STRANGERS + 2


def test_they_stay_few_over_many_flushes():
    tally, seen = Tally(), set()
    for number in range(MANY):
        tally.add([ended(f"stranger{number}")])
        seen |= names_in(tally)
    assert len(seen) == MOST_STRANGERS + 1


def test_a_long_name_is_no_label_at_all():
    tally = Tally()
    tally.add([ended("x" * 129), ended("y" * 1_000_000)])
    assert names_in(tally) == {OTHER}


def test_all_declared_jobs_have_labels_whatever_came_before():
    tally = Tally()
    tally.add([ended(f"stranger{number}") for number in range(MANY)])
    tally.add([ended(name) for name in registry.all_jobs()])
    assert names_in(tally) >= set(registry.all_jobs())


def test_the_keys_in_redis_are_few(store):
    flusher = Flusher(store, Tally())
    for number in range(MANY):
        flusher._tally.add([ended(f"stranger{number}")])
    flusher.tick()
    first = store.link.call("DBSIZE")
    for number in range(MANY):
        flusher._tally.add([ended(f"another{number}")])
    flusher.tick()
    assert first < 20 * MOST_STRANGERS
    assert store.link.call("DBSIZE") < 2 * first


def test_the_journal_forgets_jobs_whose_end_never_comes():
    journal = JobJournal()
    payloads = [Payload({"class": RECORD, "jid": str(number)}) for number in range(MOST_RUNNING + 10)]
    for payload in payloads:
        journal.started(payload, "default")
    journal.flush()
    assert len(journal._running) <= MOST_RUNNING


def test_names_that_were_judged_once_are_not_kept_for_ever():
    for number in range(MANY):
        is_secret(f"name{number}")
        is_secret("token", (f"more{number % 2_000}",))
    assert secret_names._judge.cache_info().currsize <= 1_000
