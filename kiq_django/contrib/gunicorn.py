"""Jobs inside of gunicorn's workers, for small sites.

In `gunicorn.conf.py`:

    from kiq_django.contrib.gunicorn import post_worker_init, worker_exit

`$KIQ_EMBEDDED_CONCURRENCY` says how many threads of each gunicorn worker run jobs (2; 0 is none), and
`$KIQ_EMBEDDED_QUEUES` of which queues, `critical,default` (those of `KIQ["QUEUES"]`). With `worker_class` `sync` and
`gthread`; `preload_app` may be on. The other worker classes are event loops, to which threads do harm.
"""

import os
from typing import Any

GOOD = frozenset({"sync", "gthread"})
SHARE = 0.8
"""Of gunicorn's `graceful_timeout`, for running jobs: after all of it gunicorn kills."""


def post_worker_init(worker: Any) -> None:
    """A gunicorn worker has loaded the application: run jobs in it."""
    from kiq_django import embedded

    concurrency = int(os.environ.get("KIQ_EMBEDDED_CONCURRENCY") or embedded.THREADS)
    name = worker.cfg.worker_class_str
    if name not in GOOD:
        worker.log.warning("kiq_django runs no jobs in workers of the class %s: use sync or gthread", name)
    elif concurrency and embedded.start(
        queues=_queues(), concurrency=concurrency, timeout=worker.cfg.graceful_timeout * SHARE
    ):
        worker.log.info("kiq_django runs jobs in %d threads of this worker", concurrency)


def worker_exit(server: Any, worker: Any) -> None:
    """It ends: jobs finish, or go back to their queues."""
    from kiq_django import embedded

    del server, worker
    embedded.stop()


def _queues() -> list[str]:
    names = os.environ.get("KIQ_EMBEDDED_QUEUES", "").split(",")
    return [name.strip() for name in names if name.strip()]
