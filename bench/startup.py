"""What it costs to be there: `python -m bench.startup --runs 7`.

A project as `startproject` makes it, with one job. Measured are `django.setup()` with and without kiq_django among the
apps; a worker from its start to its first job; and how much more memory an idle worker has than a process that has
only run `django.setup()`. Of all runs the median, and the least and the most beside it.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.peers import servers

SETTLES = 5.0
"""Seconds after which every service of a worker has had its turn."""
MANAGE = "import sys; from django.core.management import execute_from_command_line as run; run(sys.argv)"
SETUP = "import time, django; django.setup(); print(time.process_time(), flush=True); input()"
ENQUEUE = "import sys, django; django.setup(); from shop.jobs import stamp; stamp.enqueue(sys.argv[1])"
SETTINGS = """
import os
SECRET_KEY = "only for a measurement"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
CONTRIB = ["admin", "auth", "contenttypes", "sessions", "messages", "staticfiles"]
INSTALLED_APPS = [f"django.contrib.{name}" for name in CONTRIB]
if "BENCH_REDIS" in os.environ:
    INSTALLED_APPS += ["kiq_django", "shop"]
    KIQ = {"REDIS": os.environ["BENCH_REDIS"]}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
PROCESSORS = ["template.context_processors.request", "contrib.auth.context_processors.auth"]
PROCESSORS += ["contrib.messages.context_processors.messages"]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [f"django.{name}" for name in PROCESSORS]},
}]
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
"""
URLS = """
from django.contrib import admin
from django.urls import path
urlpatterns = [path("admin/", admin.site.urls)]
"""
JOBS = """
import os, time
from kiq_django import job

@job
def stamp(path):
    with open(path + ".new", "w") as file:
        file.write(f"{time.time()} {time.process_time()}")
    os.rename(path + ".new", path)
"""


class Project:
    """A small project in a folder of its own."""

    def __init__(self, folder: Path, redis: str) -> None:
        self._folder = folder
        self._with = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(folder)}
        self._with |= {"BENCH_REDIS": redis}
        files = {"settings.py": SETTINGS, "urls.py": URLS, "shop/__init__.py": "", "shop/jobs.py": JOBS}
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)

    def set_up(self, *, installed: bool = True) -> dict[str, float]:
        """Seconds of the processor, and memory, of `django.setup()`."""
        environment = self._with if installed else {k: v for k, v in self._with.items() if k != "BENCH_REDIS"}
        with self._python(SETUP, environment) as process:
            seconds = float(process.stdout.readline())
            return {"cpu": seconds, **_memory(process.pid)}

    def first_job(self) -> dict[str, float]:
        """Seconds until a job that waits has been begun, by the clock and of the processor."""
        path = self._folder / "begun"
        path.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-c", ENQUEUE, str(path)], cwd=self._folder, env=self._with, check=True)
        began = time.time()
        with self._python(MANAGE, self._with, "runworker"):
            while not path.exists():
                time.sleep(0.002)
        at, seconds = map(float, path.read_text().split())
        return {"wall": at - began, "cpu": seconds}

    def idle(self) -> dict[str, float]:
        """Memory of a worker without jobs."""
        with self._python(MANAGE, self._with, "runworker") as process:
            time.sleep(SETTLES)
            return _memory(process.pid)

    @contextmanager
    def _python(self, code: str, environment: Mapping[str, str], *words: str):
        command = [sys.executable, "-c", code, *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=self._folder, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                yield process
            finally:
                process.terminate()


def _memory(pid: int) -> dict[str, float]:
    """Megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = dict(line.split(":") for line in lines[1:])
    return {name.lower(): int(fields[name].split()[0]) / 1024 for name in ("Rss", "Pss")}


def _show(what: str, found: list[dict[str, float]], key: str, unit: str) -> float:
    values = [each[key] for each in found]
    print(f"{what:58} {median(values):7.3f} {unit}  ({min(values):.3f} to {max(values):.3f})")
    return median(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with servers.redis() as server, TemporaryDirectory() as folder:
        project = Project(Path(folder), server.url)
        measures: dict[str, Callable[[], dict[str, float]]] = {
            "bare": lambda: project.set_up(installed=False),
            "setup": project.set_up,
            "first": project.first_job,
            "idle": project.idle,
        }
        for measure in measures.values():
            measure()  # files are read and compiled
        found = {name: [] for name in measures}
        for _ in range(runs):
            for name, measure in measures.items():
                found[name].append(measure())
    bare = _show("django.setup() without kiq_django, processor", found["bare"], "cpu", "s")
    with_us = _show("django.setup() with it, processor", found["setup"], "cpu", "s")
    print(f"{'  more':58} {with_us - bare:7.3f} s")
    _show("worker, from its start to its first job, by the clock", found["first"], "wall", "s")
    _show("worker, from its start to its first job, processor", found["first"], "cpu", "s")
    for key, name in (("rss", "resident memory"), ("pss", "its share (PSS)")):
        base = _show(f"{name} after django.setup()", found["setup"], key, "MB")
        worker = _show(f"{name} of an idle worker", found["idle"], key, "MB")
        print(f"{'  more':58} {worker - base:7.3f} MB")


if __name__ == "__main__":
    main()
