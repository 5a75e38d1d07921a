"""Who takes part, each in its own best documented configuration."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.peers.contestant import APPS, ROOT, Contestant


def _kiq(processes: int, concurrency: int) -> list[str]:
    """More jobs at once than threads are sensible for are async ones: see `kiq_settings`."""
    many = ["--processes", str(processes)] if processes > 1 else []
    threads = str(concurrency if concurrency <= 100 else 10)
    return ["django-admin", "runworker", "-q", "default", "-c", threads, "-r", "kiq_jobs", *many]


def _sidekiq(processes: int, concurrency: int) -> list[str]:
    return ["sidekiq", "-r", str(APPS / "sidekiq_jobs.rb"), "-q", "default", "-c", str(concurrency)]


def _celery(pool: str) -> Callable[[int, int], list[str]]:
    def command(processes: int, concurrency: int) -> list[str]:
        quiet = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        return ["celery", "-A", "celery_jobs", "worker", "-P", pool, "-c", str(concurrency), *quiet]

    return command


def _rq(processes: int, concurrency: int) -> list[str]:
    number = processes * concurrency
    how = ["worker-pool", "-n", str(number)] if number > 1 else ["worker"]
    return ["rq", *how, "--url", "$BENCH_REDIS", "-q", "default"]


def _taskiq(processes: int, concurrency: int) -> list[str]:
    places = ["--max-async-tasks", str(concurrency), "--max-threadpool-threads", str(min(concurrency, 100))]
    return ["taskiq", "worker", "taskiq_jobs:broker", "--workers", str(processes), *places, "--log-level", "WARNING"]


MORE = [f"queue{number}" for number in range(2, 9)]
EACH = tuple(word for name in MORE for word in ("-q", name))
KIQ = Contestant(
    name="kiq_django",
    toils=True,
    survives="yes, within 30 s",
    client="kiq_jobs.py",
    worker=_kiq,
    more_queues=EACH,
    packages=(str(ROOT),),
    environment={"DJANGO_SETTINGS_MODULE": "kiq_settings"},
    most=10_000,
    log_lines=({}, ("-v", "1")),
)
SIDEKIQ = Contestant(
    name="Sidekiq",
    toils=True,
    survives="no",
    client="sidekiq_jobs.rb",
    worker=_sidekiq,
    more_queues=EACH,
    needs="sidekiq",
    processes=False,
    log_lines=({"BENCH_LINES": "1"}, ()),
)
CELERY = Contestant(
    name="Celery threads",
    toils=True,
    speed=700,
    survives="yes, after 1 h",
    client="celery_jobs.py",
    worker=_celery("threads"),
    more_queues=("-Q", ",".join(["celery", *MORE])),
    packages=("celery[redis]",),
    processes=False,
)
CONTESTANTS: Sequence[Contestant] = (
    KIQ,
    replace(KIQ, name="kiq_django[fast]", packages=(f"{ROOT}[fast]",)),
    SIDEKIQ,
    replace(SIDEKIQ, name="Sidekiq --yjit", environment={"RUBYOPT": "--yjit"}),
    CELERY,
    replace(CELERY, name="Celery prefork", worker=_celery("prefork")),
    Contestant(
        name="Dramatiq",
        toils=True,
        speed=3000,
        survives="yes, after 60 s",
        client="dramatiq_jobs.py",
        packages=("dramatiq[redis]",),
        worker=lambda p, c: ["dramatiq", "dramatiq_jobs", "-p", str(p), "-t", str(c)],
    ),
    Contestant(
        name="Huey",
        toils=True,
        speed=3000,
        survives="no",
        client="huey_jobs.py",
        packages=("huey", "redis"),
        processes=False,
        worker=lambda p, c: ["huey_consumer", "huey_jobs.huey", "-w", str(c), "-k", "thread", "-q"],
    ),
    Contestant(
        name="RQ",
        speed=50,
        survives="yes, as failed",
        client="rq_jobs.py",
        packages=("rq",),
        most=1,
        worker=_rq,
    ),
    Contestant(
        name="django-rq",
        speed=50,
        survives="yes, as failed",
        client="djangorq_jobs.py",
        packages=("django-rq",),
        most=1,
        environment={"DJANGO_SETTINGS_MODULE": "djangorq_settings"},
        processes=False,
        worker=lambda p, c: ["django-admin", "rqworker", "default", "-v", "0"],
    ),
    Contestant(
        name="ARQ",
        speed=1000,
        survives="yes, after 5 min",
        client="arq_jobs.py",
        packages=("arq",),
        asynchronous=True,
        processes=False,
        most=10_000,
        worker=lambda p, c: ["arq", "arq_jobs.WorkerSettings"],
    ),
    Contestant(
        name="SAQ",
        speed=1000,
        survives="yes, by sweep",
        client="saq_jobs.py",
        packages=("saq[redis]", "typing_extensions"),
        asynchronous=True,
        most=10_000,
        worker=lambda p, c: ["saq", "saq_jobs.settings", "--workers", str(p), "--quiet"],
    ),
    Contestant(
        name="Taskiq",
        toils=True,
        speed=1500,
        survives="yes, after 10 min",
        client="taskiq_jobs.py",
        packages=("taskiq-redis",),
        asynchronous=True,
        most=10_000,
        worker=_taskiq,
    ),
    Contestant(
        name="django-q2",
        speed=300,
        survives="yes, after `retry`",
        client="djangoq_jobs.py",
        packages=("django-q2", "redis"),
        processes=False,
        environment={"DJANGO_SETTINGS_MODULE": "djangoq_settings"},
        setup=(("django-admin", "migrate", "-v", "0"),),
        worker=lambda p, c: ["django-admin", "qcluster"],
        most=10,
    ),
    Contestant(
        name="Procrastinate",
        speed=300,
        survives="by hand",
        client="procrastinate_jobs.py",
        packages=("procrastinate", "psycopg[binary]"),
        asynchronous=True,
        postgres=True,
        processes=False,
        most=10_000,
        setup=(("procrastinate", "--app", "procrastinate_jobs.app", "schema", "--apply"),),
        worker=lambda p, c: ["procrastinate", "--app", "procrastinate_jobs.app", "worker", "-c", str(c)],
    ),
    Contestant(
        name="django-tasks-db",
        speed=50,
        survives="no: stays running",
        client="tasks_jobs.py",
        python=(3, 12),
        postgres=True,
        processes=False,
        packages=("django-tasks-db", "django>=6.0", "psycopg[binary]"),
        environment={"DJANGO_SETTINGS_MODULE": "tasksdb_settings"},
        setup=(("django-admin", "migrate", "-v", "0"),),
        most=1,
        worker=lambda p, c: ["django-admin", "db_worker", "-v", "0", "--interval", "0.1"],
    ),
    Contestant(
        name="django-tasks-redis",
        speed=50,
        survives="yes",
        client="tasks_jobs.py",
        python=(3, 12),
        most=1,
        processes=False,
        packages=("django-tasks-redis", "django>=6.0"),
        environment={"DJANGO_SETTINGS_MODULE": "tasksredis_settings"},
        worker=lambda p, c: ["django-admin", "run_redis_tasks", "--continuous", "-v", "0"],
    ),
    Contestant(
        name="django-vtasks",
        survives="yes",
        client="vtasks_jobs.py",
        python=(3, 12),
        speed=2_000,
        asynchronous=True,
        most=10_000,
        packages=("django-vtasks[valkey]", "django>=6.0"),
        environment={"DJANGO_SETTINGS_MODULE": "vtasks_settings"},
        processes=False,
        worker=lambda p, c: ["django-admin", "runworker", "--queue", "default", "--concurrency", str(c)],
    ),
    Contestant(
        name="threadmill",
        survives="?",
        client="tasks_jobs.py",
        python=(3, 14),
        packages=("threadmill[redis]", "django>=6.1"),
        environment={"DJANGO_SETTINGS_MODULE": "threadmill_settings"},
        worker=lambda p, c: ["django-admin", "threadmill", "worker", "-w", str(p), "-t", str(c)],
    ),
)
