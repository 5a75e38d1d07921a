"""What a process says of itself, and what it is told."""

import pytest

from kiq_django.worker.os_signals import SignalPipe


@pytest.mark.xfail(
    strict=True,
    raises=KeyError,
    reason="SignalPipe.tell suppresses ValueError, and signal.Signals raises KeyError for a name it lacks: a word "
    "that somebody left in Redis becomes an error of the beat",
)
def test_a_signal_that_nobody_knows_is_passed_over():
    SignalPipe().tell("NONSENSE")
