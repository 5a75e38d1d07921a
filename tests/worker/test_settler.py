"""The ends of jobs on their way into Redis."""

import time

import pytest

from tests.support import wait_for


class FullDisk:
    """A journal that cannot write."""

    def started(self, payload, queue):
        """Nothing goes wrong here."""

    def settled(self, outcomes):
        raise OSError(28, "No space left on device")

    def flush(self):
        raise OSError(28, "No space left on device")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_journal_that_cannot_write_does_not_hold_jobs_up(start, declare, push, done):
    declare(done.append, name="note")
    for number in range(10):
        push("note", number)
    launcher = start(journal=FullDisk())
    began = time.monotonic()
    wait_for(lambda: len(done) == 10)
    took = time.monotonic() - began
    launcher.stop(5)
    assert took < 0.5
