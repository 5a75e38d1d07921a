"""Events, as Django signals. A receiver that raises is logged and harms nobody.

Job signals are sent with the job (the decorated object) as sender, None where the name is unknown.

| signal | arguments | sent by |
| --- | --- | --- |
| job_enqueued | payload | who pushes, after the push |
| job_started | running (`RunningJob`) | the thread that runs the job |
| job_finished | outcome (`Outcome`) | the thread that ran it, before its end is stored |
| job_dead | payload, error | who stores it, after all retries or on discard |
| jobs_settled | records | the worker, once for a batch whose ends are stored |
| worker_startup, worker_quiet, worker_shutdown, worker_exit, worker_heartbeat | worker | the worker |
"""

import logging
from typing import Any

from django.dispatch import Signal

logger = logging.getLogger("kiq_django")

job_enqueued = Signal()
job_started = Signal()
job_finished = Signal()
job_dead = Signal()
jobs_settled = Signal()

worker_startup = Signal()
worker_quiet = Signal()
worker_shutdown = Signal()
worker_exit = Signal()
worker_heartbeat = Signal()


def send(signal: Signal, sender: Any, **arguments: Any) -> None:
    """Send to whoever listens. With nobody it costs one look at an empty list."""
    if not signal.receivers or not signal.has_listeners(sender):
        return
    for receiver, answer in signal.send_robust(sender, **arguments):
        if isinstance(answer, Exception):
            logger.error("Receiver %r of a signal raised %r", receiver, answer, exc_info=answer)


async def asend(signal: Signal, sender: Any, **arguments: Any) -> None:
    """`send` from an event loop: receivers that are coroutine functions run on it."""
    if not signal.receivers or not signal.has_listeners(sender):
        return
    for receiver, answer in await signal.asend_robust(sender, **arguments):
        if isinstance(answer, Exception):
            logger.error("Receiver %r of a signal raised %r", receiver, answer, exc_info=answer)
