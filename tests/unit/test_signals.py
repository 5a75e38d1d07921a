import logging

import pytest
from django.dispatch import Signal

from kiq_django import signals


@pytest.fixture
def signal():
    return Signal()


def test_nobody_listens(signal, monkeypatch):
    monkeypatch.setattr(signal, "send_robust", lambda *_, **__: pytest.fail("sent"))
    signals.send(signal, None)


def test_somebody_listens_to_another_sender(signal, monkeypatch):
    one, other = object(), object()

    def receiver(**_): ...

    signal.connect(receiver, sender=one)
    monkeypatch.setattr(signal, "send_robust", lambda *_, **__: pytest.fail("sent"))
    signals.send(signal, other)


def test_receivers_get_the_arguments(signal):
    got = []

    def receiver(sender, payload, **_):
        got.append((sender, payload))

    signal.connect(receiver)
    signals.send(signal, "sender", payload=1)
    assert got == [("sender", 1)]


def test_a_receiver_that_raises_is_logged_and_harms_nobody(signal, caplog):
    got = []

    def bad(**_):
        raise ValueError("bad")

    def good(**_):
        got.append(1)

    signal.connect(bad)
    signal.connect(good)
    with caplog.at_level(logging.ERROR, "kiq_django"):
        signals.send(signal, None)
    assert got == [1]
    assert "bad" in caplog.text
