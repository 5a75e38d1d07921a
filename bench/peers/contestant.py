"""Who takes part: how each is installed, enqueues and works, in its own best documented configuration."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

APPS = Path(__file__).parent / "apps"
ROOT = Path(__file__).parents[2]
HERE = sys.version_info[:2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One job system in one configuration."""

    name: str
    survives: str
    """What happens to jobs in flight when their worker gets `kill -9`, by its documentation."""
    client: str
    """File below `apps/` that enqueues."""
    worker: Callable[[int, int], Sequence[str]]
    """Command line for so many processes and so many jobs at once in each; a first word without `/` is looked up in the environment."""
    packages: Sequence[str] = ()
    """What pip installs for it; none where `needs` brings it."""
    needs: str = ""
    """A program without which it cannot take part."""
    python: tuple[int, int] = (3, 11)
    """The oldest Python that it runs on."""
    environment: dict[str, str] = field(default_factory=dict)
    postgres: bool = False
    setup: Sequence[Sequence[str]] = ()
    """Commands to run once per server, such as migrations."""
    speed: int = 20_000
    """Empty jobs a second, roughly: who is slow is given fewer jobs, for a few seconds of work."""
    most: int = 100
    """Jobs at once in one process; more it cannot run."""
    asynchronous: bool = False
    """Waiting jobs do not hold a thread or process."""
    processes: bool = True
    """Can be told to use several processes."""
    log_lines: tuple[dict[str, str], Sequence[str]] | None = None
    """Further environment and options that turn the lines about each job on."""

    @property
    def key(self) -> str:
        """Its folder among the environments; configurations of one system share it."""
        return re.sub(r"[^a-z0-9]+", "-", " ".join(self.packages).replace(str(ROOT), "kiq").lower()).strip("-")


def _kiq(processes: int, concurrency: int) -> list[str]:
    many = ["--processes", str(processes)] if processes > 1 else []
    return ["django-admin", "runworker", "-q", "default", "-c", str(concurrency), "-r", "kiq_jobs", *many]


def _sidekiq(processes: int, concurrency: int) -> list[str]:
    return ["sidekiq", "-r", str(APPS / "sidekiq_jobs.rb"), "-q", "default", "-c", str(concurrency)]


def _celery(pool: str) -> Callable[[int, int], list[str]]:
    def command(processes: int, concurrency: int) -> list[str]:
        return ["celery", "-A", "celery_jobs", "worker", "-P", pool, "-c", str(concurrency), "--loglevel", "WARNING",
                "--without-gossip", "--without-mingle"]  # fmt: skip

    return command


KIQ = {"DJANGO_SETTINGS_MODULE": "kiq_settings"}
CONTESTANTS: Sequence[Contestant] = (
    Contestant(
        name="kiq_django", survives="yes, within 30 s", client="kiq_jobs.py", worker=_kiq, packages=(str(ROOT),), environment=KIQ, most=10_000,
        log_lines=({}, ("-v", "1")),
    ),
    Contestant(
        name="kiq_django[fast]", survives="yes, within 30 s", client="kiq_jobs.py", worker=_kiq, packages=(f"{ROOT}[fast]",),
        environment=KIQ, most=10_000, log_lines=({}, ("-v", "1")),
    ),
    Contestant(
        name="Sidekiq", survives="no", client="sidekiq_jobs.rb", worker=_sidekiq, needs="sidekiq", processes=False,
        log_lines=({"BENCH_LINES": "1"}, ()),
    ),
    Contestant(
        name="Sidekiq --yjit", survives="no", client="sidekiq_jobs.rb", worker=_sidekiq, needs="sidekiq", processes=False,
        environment={"RUBYOPT": "--yjit"}, log_lines=({"BENCH_LINES": "1"}, ()),
    ),
    Contestant(
        name="Celery threads", speed=700, survives="yes, after 1 h", client="celery_jobs.py", worker=_celery("threads"),
        packages=("celery[redis]",), processes=False,
    ),
    Contestant(
        name="Celery prefork", speed=700, survives="yes, after 1 h", client="celery_jobs.py", worker=_celery("prefork"),
        packages=("celery[redis]",), processes=False,
    ),
    Contestant(
        name="Dramatiq", speed=3000, survives="yes, after 60 s", client="dramatiq_jobs.py", packages=("dramatiq[redis]",),
        worker=lambda p, c: ["dramatiq", "dramatiq_jobs", "-p", str(p), "-t", str(c)],
    ),
    Contestant(
        name="Huey", speed=3000, survives="no", client="huey_jobs.py", packages=("huey", "redis"), processes=False,
        worker=lambda p, c: ["huey_consumer", "huey_jobs.huey", "-w", str(c), "-k", "thread", "-q"],
    ),
    Contestant(
        name="RQ", speed=50, survives="yes, as failed", client="rq_jobs.py", packages=("rq",), most=1,
        worker=lambda p, c: ["rq", *(["worker-pool", "-n", str(p * c)] if p * c > 1 else ["worker"]), "--url", "$BENCH_REDIS", "-q", "default"],
    ),
    Contestant(
        name="django-rq", speed=50, survives="yes, as failed", client="djangorq_jobs.py", packages=("django-rq",), most=1,
        environment={"DJANGO_SETTINGS_MODULE": "djangorq_settings"}, processes=False,
        worker=lambda p, c: ["django-admin", "rqworker", "default", "-v", "0"],
    ),
    Contestant(
        name="ARQ", speed=1000, survives="yes, after 5 min", client="arq_jobs.py", packages=("arq",), asynchronous=True, processes=False, most=10_000,
        worker=lambda p, c: ["arq", "arq_jobs.WorkerSettings"],
    ),
    Contestant(
        name="SAQ", speed=1000, survives="yes, by sweep", client="saq_jobs.py", packages=("saq[redis]", "typing_extensions"), asynchronous=True, most=10_000,
        worker=lambda p, c: ["saq", "saq_jobs.settings", "--workers", str(p), "--quiet"],
    ),
    Contestant(
        name="Taskiq", speed=1500, survives="yes, after 10 min", client="taskiq_jobs.py", packages=("taskiq-redis",), asynchronous=True, most=10_000,
        worker=lambda p, c: ["taskiq", "worker", "taskiq_jobs:broker", "--workers", str(p), "--max-async-tasks", str(c),
                             "--max-threadpool-threads", str(min(c, 100)), "--log-level", "WARNING"],
    ),
    Contestant(
        name="django-q2", speed=300, survives="yes, after `retry`", client="djangoq_jobs.py", packages=("django-q2", "redis"), processes=False,
        environment={"DJANGO_SETTINGS_MODULE": "djangoq_settings"}, setup=(("django-admin", "migrate", "-v", "0"),),
        worker=lambda p, c: ["django-admin", "qcluster"], most=10,
    ),
    Contestant(
        name="Procrastinate", speed=300, survives="by hand", client="procrastinate_jobs.py", packages=("procrastinate", "psycopg[binary]"),
        asynchronous=True, postgres=True, processes=False, most=10_000,
        setup=(("procrastinate", "--app", "procrastinate_jobs.app", "schema", "--apply"),),
        worker=lambda p, c: ["procrastinate", "--app", "procrastinate_jobs.app", "worker", "-c", str(c)],
    ),
    Contestant(
        name="django-tasks-db", speed=50, survives="no: stays running", client="tasks_jobs.py", python=(3, 12), postgres=True, processes=False,
        packages=("django-tasks-db", "django>=6.0", "psycopg[binary]"), environment={"DJANGO_SETTINGS_MODULE": "tasksdb_settings"},
        setup=(("django-admin", "migrate", "-v", "0"),), most=1,
        worker=lambda p, c: ["django-admin", "db_worker", "-v", "0", "--interval", "0.1"],
    ),
    Contestant(
        name="django-tasks-redis", speed=50, survives="yes", client="tasks_jobs.py", python=(3, 12), most=1, processes=False,
        packages=("django-tasks-redis", "django>=6.0"), environment={"DJANGO_SETTINGS_MODULE": "tasksredis_settings"},
        worker=lambda p, c: ["django-admin", "run_redis_tasks", "--continuous", "-v", "0"],
    ),
    Contestant(
        name="django-vtasks", survives="yes", client="vtasks_jobs.py", python=(3, 12), speed=2_000, asynchronous=True, most=10_000,
        packages=("django-vtasks[valkey]", "django>=6.0"), environment={"DJANGO_SETTINGS_MODULE": "vtasks_settings"}, processes=False,
        worker=lambda p, c: ["django-admin", "runworker", "--queue", "default", "--concurrency", str(c)],
    ),
    Contestant(
        name="threadmill", survives="?", client="tasks_jobs.py", python=(3, 14), packages=("threadmill[redis]", "django>=6.1"),
        environment={"DJANGO_SETTINGS_MODULE": "threadmill_settings"},
        worker=lambda p, c: ["django-admin", "threadmill", "worker", "-w", str(p), "-t", str(c)],
    ),
)  # fmt: skip
