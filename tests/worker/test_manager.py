"""The threads of a capsule."""

from tests.support import wait_for


class Deadly:
    """A journal that ends the thread which tells it of the first job."""

    def __init__(self):
        self.struck = False

    def started(self, payload, queue):
        if not self.struck:
            self.struck = True
            raise SystemExit

    def settled(self, outcomes):
        """Nothing goes wrong here."""

    def flush(self):
        """Nor here."""


def test_a_thread_that_dies_is_replaced_and_its_job_is_kept(start, store, declare, push, done):
    declare(done.append, name="note")
    for number in range(20):
        push("note", number, retry=5)
    launcher = start(concurrency=2, journal=Deadly())
    [manager] = launcher.managers
    wait_for(lambda: len(done) == 19, what="the jobs of the other threads")
    wait_for(lambda: store.sets.count("retry") == 1, what="the job whose thread died")
    assert manager.replaced == 1
    wait_for(lambda: all(processor.thread.is_alive() for processor in manager.processors), what="the other thread")
