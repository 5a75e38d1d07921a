"""A process that takes orders: `python -m tests.outbox.producer FIRST LAST [MOMENT AT]`.

Each order is a row, and a job by way of the outbox, in one transaction. At order `AT` it is killed: `commit` is between
the commit and the push, `push` between the push and the end of the row, `open` before the commit.
"""

import os
import signal
import sys

import django
from django.db import connection, transaction


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(first: int, last: int, moment: str = "", at: int = -1) -> None:
    from kiq_django.adapters.redis import RedisAdapter
    from tests.acceptance.app.jobs import touch

    push, now = RedisAdapter.push_with_care, 0

    def dying(adapter, payloads, **options):
        if moment == "commit" and now == at:
            die()
        taken = push(adapter, payloads, **options)
        if moment == "push" and now == at:
            die()
        return taken

    RedisAdapter.push_with_care = dying
    job = touch.using(outbox=True)
    for now in range(first, last):
        with transaction.atomic():
            connection.cursor().execute("INSERT INTO orders VALUES (%s)", [now])
            job.enqueue(now)
            if moment == "open" and now == at:
                die()


if __name__ == "__main__":
    django.setup()
    first, last, *rest = sys.argv[1:]
    main(int(first), int(last), *rest[:1], *map(int, rest[1:]))
