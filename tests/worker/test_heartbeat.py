"""What a process says of itself, and what it is told."""

from kiq_django.worker.os_signals import SignalPipe


def test_a_signal_that_nobody_knows_is_passed_over():
    SignalPipe().tell("NONSENSE")
