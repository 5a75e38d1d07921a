"""What the outbox costs an enqueue: `python -m bench.outbox`.

One transaction with one row of the caller's, and a job: plain, and by way of the outbox. On PostgreSQL, on SQLite, and
against a Redis of this host. Each figure is the median of five runs.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django
from django.conf import settings

ROUNDS = 5
TIMES = 400
BULK = 10_000


def configure(database: dict[str, str], url: str) -> None:
    settings.configure(
        SECRET_KEY="bench",
        USE_TZ=True,
        DATABASES={"default": database},
        INSTALLED_APPS=["kiq_django", "kiq_django.outbox"],
        KIQ={"REDIS": url},
    )
    django.setup()


def measure(work: Callable[[], None], times: int) -> float:
    """Seconds that one of them takes."""
    found = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        found.append((time.perf_counter() - begin) / times)
    return statistics.median(found)


def run() -> None:
    from django.core.management import call_command
    from django.db import connection, transaction

    from kiq_django import job, store

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (id integer)")

    @job(name="order")
    def order(number: int) -> None: ...

    def each(task: object) -> Callable[[], None]:
        def work() -> None:
            for number in range(TIMES):
                with transaction.atomic():
                    connection.cursor().execute("INSERT INTO orders VALUES (%s)", [number])
                    if task:
                        task.enqueue(number)

        return work

    def many(task: object) -> Callable[[], None]:
        def work() -> None:
            with transaction.atomic():
                task.enqueue_all((number,) for number in range(BULK))

        return work

    ways = {"no job": None, "plain": order, "outbox": order.using(outbox=True)}
    for name, task in ways.items():
        each(task)()
        single = measure(each(task), TIMES) * 1e6
        bulk = measure(many(task), BULK) * 1e6 if task else 0
        print(f"  {name:8} {single:8.0f} us a transaction {bulk:8.1f} us a job of {BULK:,} at once", flush=True)
        store.get().link.call("FLUSHALL")


def main() -> None:
    """Each database in a process of its own, since Django knows but one configuration."""
    if len(sys.argv) > 1:
        configure(eval(sys.argv[1]), sys.argv[2])
        run()
        return
    import subprocess

    from kiq_django.store import embedded
    from tests.outbox.postgres import USER, cluster

    with tempfile.TemporaryDirectory(prefix="kiq") as folder, cluster() as root:
        url = f"unix://{embedded.start(Path(folder) / 'redis')}"
        lite = {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/db"}
        postgres = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": USER, "HOST": str(root)}
        for database in (postgres, lite):
            print(database["ENGINE"].rpartition(".")[2], flush=True)
            subprocess.run([sys.executable, "-m", "bench.outbox", repr(database), url], check=True, env=os.environ)


if __name__ == "__main__":
    main()
