"""A project as somebody new makes it: the wheel in an environment of its own, and the documentation word for word."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench import interpreters
from kiq_django.testing.server import launched
from tests.acceptance.process import READY
from tests.conftest import server_programs
from tests.support import wait_for

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(280)


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of the examples of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def example(page: str, words: str) -> str:
    """The one example that has these words."""
    (found,) = [text for _, text in blocks(page) if words in text]
    return found


def quietly(command: list[str], **options) -> subprocess.CompletedProcess:
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    quietly(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    )
    (made,) = folder.glob("*.whl")
    return made


def environment_at_hand(folder: Path, wheel: Path) -> Path:
    """One with what the tests run on, and the wheel in place of our sources."""
    quietly([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "of_the_tests.pth").write_text(sysconfig.get_path("purelib"))
    python = str(folder / "bin" / "python")
    quietly([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", str(wheel)])
    script = folder / "bin" / "django-admin"
    script.write_text(f"#!{python}\nfrom django.core.management import execute_from_command_line as run\nrun()\n")
    script.chmod(0o755)
    return folder


def environment_of_django_6_1(folder: Path, wheel: Path) -> Path:
    """One made from scratch, as `pip install` makes it."""
    python = interpreters.find((3, 12))
    if python is None:
        pytest.skip("Django 6.1 needs Python 3.12, and there is none here")
    quietly([python, "-m", "venv", "--without-pip", str(folder)])
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q"]
    command += ["Django>=6.1,<6.2", f"{wheel}[dev]"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"Django 6.1 cannot be installed here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=[environment_at_hand, environment_of_django_6_1], ids=lambda make: make.__name__)
def environment(request, tmp_path_factory, wheel) -> Path:
    return request.param(tmp_path_factory.mktemp("env") / "env", wheel)


class Project:
    """A folder, and a shell in it."""

    def __init__(self, folder: Path, environment: Path, **variables: str) -> None:
        self.folder = folder
        left_out = ("DJANGO", "KIQ", "PYTEST", "REDIS")
        own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        path = f"{environment / 'bin'}:{os.environ['PATH']}"
        self._options = {"cwd": folder, "env": {**own, "PATH": path, "PYTHONUNBUFFERED": "1", **variables}}

    def say(self, command: str) -> str:
        """Run a line of a shell, and give what it prints."""
        return quietly(["sh", "-c", command], **self._options).stdout

    def start(self, command: str) -> subprocess.Popen:
        with (self.folder / "log").open("wb") as log:
            shell = ["sh", "-c", f"exec {command}"]
            return subprocess.Popen(shell, stdout=log, stderr=log, start_new_session=True, **self._options)

    def set(self, text: str) -> None:
        """Put an example into the settings; `...` stands for what was there."""
        settings = next(self.folder.glob("*/settings.py"))
        settings.write_text(settings.read_text() + "\n" + text.replace("[...,", "[*INSTALLED_APPS,"))

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)

    def log(self) -> str:
        return (self.folder / "log").read_text()


def work_until(project: Project, command: str, is_done) -> None:
    """Start a worker, wait, and end it with Ctrl-C."""
    worker = project.start(command)
    try:
        wait_for(lambda: READY in project.log() or worker.poll() is not None, 30, "the banner")
        wait_for(is_done, 30, "the jobs")
        os.killpg(worker.pid, signal.SIGINT)  # as a terminal does: the reloader has a child
        assert worker.wait(20) == 0, project.log()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


@pytest.fixture
def redis() -> Iterator[str]:
    """One that nobody else writes to."""
    with launched(server_programs()[0]) as url:
        yield url


def test_the_readme(environment, tmp_path, redis):
    project = Project(tmp_path, environment, REDIS_URL=redis)
    project.say("django-admin startproject website . && python manage.py startapp shop")
    project.set(example("README.md", "# settings.py"))
    project.set('INSTALLED_APPS = [..., "shop"]')
    project.write("shop/jobs.py", example("README.md", "# shop/jobs.py"))
    calls = example("README.md", "send_receipt.enqueue_all")
    given = "from datetime import timedelta\nfrom types import SimpleNamespace\nfrom shop.jobs import send_receipt\n"
    project.write("enqueue.py", f"{given}order, pks = SimpleNamespace(pk=7), [1, 2, 3]\n{calls}")
    project.say("python manage.py check && python manage.py shell < enqueue.py")
    run, stats = example("README.md", "runworker").splitlines()
    print(project.say(stats))

    def done() -> bool:
        told = json.loads(project.say("python manage.py kiq stats --json"))
        return told["processed"] == 4 and told["scheduled"] == 1

    work_until(project, run.partition("#")[0], done)
    assert "starts again on save" in run
    assert str(environment) in project.say("python -c 'import kiq_django; print(kiq_django.__file__)'")


def test_the_quickstart(environment, tmp_path):
    project = Project(tmp_path, environment)
    install, start = example("docs/quickstart.md", "pip install").splitlines()
    assert install == 'pip install "kiq-django[dev]"'
    project.say(start)
    project.set(example("docs/quickstart.md", "# shop/settings.py"))
    project.write("orders/jobs.py", example("docs/quickstart.md", "# orders/jobs.py"))
    jid = project.say(example("docs/quickstart.md", "manage.py shell -c")).strip().splitlines()[-1]
    assert re.fullmatch("[0-9a-f]{24}", jid)
    work_until(
        project,
        example("docs/quickstart.md", "python manage.py runworker"),
        lambda: "receipt for 1 in de" in project.log(),
    )
    assert jid in project.log()
