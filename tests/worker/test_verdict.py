"""What becomes of a job after its run."""

from kiq_django import job
from kiq_django.exceptions import Discard, ForeignBatch, UnknownJob
from kiq_django.execution import Outcome
from kiq_django.payload import Payload
from kiq_django.store import records
from kiq_django.worker import verdict
from kiq_django.worker.reservation import Reservation
from tests.worker.conftest import encoded


def concluded(error, definition=None, **fields):
    """The reservation of a job after a run that ended with `error`."""
    reservation = Reservation("me", "default", encoded("job", **fields))
    outcome = Outcome(Payload.decode(reservation.raw), "default", definition)
    outcome.error = error
    verdict.conclude(reservation, outcome)
    return reservation


def test_an_unknown_name_is_never_dropped():
    assert concluded(UnknownJob("job"), retry=False).move.verb == "bury"


def test_a_job_of_a_foreign_batch_is_kept_whatever_its_declaration_says():
    @job(name="batched", discard_on=Exception, retry_in=lambda count, error: Discard)
    def batched():
        pass

    for fields in ({}, {"retry": False}, {"retry": 0}, {"dead": False, "retry": 0}):
        kept = concluded(ForeignBatch("b-1"), batched.definition, bid="b-1", **fields)
        assert kept.move.verb == ("bury" if fields else "retry")
        assert Payload.decode(kept.move.new).document["bid"] == "b-1"


def test_a_failure_is_written_in_the_form_of_the_settings(settings):
    settings.KIQ = {**settings.KIQ, "SIDEKIQ": {"integer_times": True}}
    document = Payload.decode(concluded(ValueError()).move.new).document
    assert type(document["failed_at"]) is type(document["created_at"]) is int


def test_a_job_that_never_failed_leaves_without_a_word():
    reservation = concluded(None)
    assert (reservation.move, reservation.after) == (None, None)


def test_a_note_that_cannot_be_written_keeps_no_job_from_its_place(monkeypatch):
    def broken(*_):
        raise MemoryError

    monkeypatch.setattr(records, "failed", broken)
    move = concluded(ValueError()).move
    assert (move.verb, move.note) == ("retry", None)


def test_paths_are_told_from_where_the_project_begins(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    verdict._roots.cache_clear()
    code = compile("def fail():\n    raise ValueError", f"{tmp_path}/shop/pay.py", "exec")
    names = {}
    exec(code, names)
    try:
        names["fail"]()
    except ValueError as error:
        move = concluded(error).move
    assert Payload.decode(move.new).document["error_frame"] == "shop/pay.py:2 in fail"
    verdict._roots.cache_clear()


def test_an_at_does_not_survive():
    assert "at" not in Payload.decode(concluded(ValueError(), at=1.5).move.new).document
