"""Jobs run inside the call that enqueues them (after the commit, if they wait for one)."""

from collections.abc import Sequence

from kiq_django import execution
from kiq_django.adapters.base import Adapter, begin_result, keep_result, raise_failure
from kiq_django.payload import Payload


class InlineAdapter(Adapter):
    """No queue and no retries: what a job raises comes out of `enqueue`, and ends a bulk.

    `Discard`, and the errors that a job declares in `discard_on`, end the job alone.
    """

    persistent = False
    schedules = False
    bulk = False

    def push(self, payloads: Sequence[Payload]) -> None:
        for payload in payloads:
            read = Payload.decode(payload.encode())
            begin_result(read)
            outcome = execution.run(read, read.queue, housekeeping=False)
            keep_result(outcome)
            raise_failure(outcome)
