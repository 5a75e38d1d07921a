"""The form in which times leave the process."""

import pytest

from kiq_django import conf, wire
from kiq_django.exceptions import ConfigurationError
from kiq_django.payload import Payload

TIMES = {"created_at": 1.5, "enqueued_at": 1795318639.913464, "failed_at": 2.0, "retried_at": 1795318639913}


def payload():
    return Payload({"class": "a", "jid": "1", "args": [1.5], "at": 3.5, **TIMES})


def test_by_default_nothing_is_touched():
    given = payload()
    assert wire.outgoing(given) is given


def test_whole_milliseconds(settings):
    settings.KIQ = {"SIDEKIQ": {"integer_times": True}}
    sent = wire.outgoing(payload())
    assert {name: sent.document[name] for name in TIMES} == {
        "created_at": 1500,
        "enqueued_at": 1795318639913,
        "failed_at": 2000,
        "retried_at": 1795318639913,
    }
    assert (sent.document["at"], sent.args) == (3.5, [1.5])
    assert (sent.enqueued_at, sent.retried_at) == (1795318639.913, 1795318639.913)


def test_what_has_no_times_stays_itself(settings):
    settings.KIQ = {"SIDEKIQ": {"integer_times": True}}
    given = Payload({"class": "a", "jid": "1"})
    assert wire.outgoing(given) is given


@pytest.mark.parametrize("section", [{"integer_times": 1}, {"integer_time": True}, []])
def test_the_section_is_checked(settings, section):
    settings.KIQ = {"SIDEKIQ": section}
    with pytest.raises(ConfigurationError, match="SIDEKIQ"):
        conf.get()
