"""`make conformance`: environments for each Django, its tests from its sdist, ours beside them, and a table.

What is downloaded and made stays in `.conformance/`. A Django whose Python is not to be had is named as not tested, and
the exit code is 1 then: not tested is not passed.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import interpreters
from tests.conformance.translation import FILES, translate
from tests.conftest import server_programs
from tests.support import wait_for

HERE = Path(__file__).parents[2]
PLACE = HERE / ".conformance"
TOOLS = ["pytest", "pytest-django", "pytest-asyncio", "pytest-timeout", "hypothesis"]


class Case(NamedTuple):
    """One Django, and whose tests of tasks."""

    name: str
    requirements: list[str]
    python: tuple[int, int]
    tests_of: str
    backport: bool = False


CASES = [
    Case("django-6.1", ["django==6.1.*", "django-tasks>=0.12"], (3, 12), "django==6.1.*"),
    Case("django-6.0", ["django==6.0.*", "django-tasks>=0.12"], (3, 12), "django==6.0.*"),
    # The backport's own archive has no tests; they are Django's, which it became.
    Case("django-5.2+django-tasks", ["django==5.2.*", "django-tasks>=0.12"], (3, 11), "django==6.0.*", backport=True),
]


def main() -> int:
    """Run all cases. 0 when all were tested and passed."""
    PLACE.mkdir(exist_ok=True)
    lines, good = [], True
    with _server() as url:
        for case in CASES:
            for what, (told, passed) in _run(case, url):
                lines.append(f"{case.name:26} {what:8} {told}")
                good = good and passed
    print("\n" + "\n".join(lines))
    return 0 if good else 1


def _run(case: Case, url: str):
    python = interpreters.find(case.python)
    if python is None:
        wanted = ".".join(map(str, case.python))
        return [("all", (f"NOT TESTED: no Python {wanted} or later was found on this machine", False))]
    environment = _environment(case, python)
    source = _tests(case.tests_of)
    found = [(mode, _suite(case, environment, source, mode, url)) for mode in FILES]
    return [*found, ("ours", _ours(environment))]


def _suite(case: Case, environment: Path, source: Path, mode: str, url: str) -> tuple[str, bool]:
    """Django's tests in one mode."""
    folder = PLACE / f"tests-{case.name}-{mode}"
    shutil.rmtree(folder, ignore_errors=True)
    translate(source, folder / "tasks", mode, backport=case.backport)
    told = {"KIQ_CONFORMANCE_MODE": mode, "KIQ_CONFORMANCE_REDIS": url}
    variables = {**os.environ, **told, "DJANGO_SETTINGS_MODULE": "tests.conformance.settings"}
    command = [environment / "bin/python", "-m", "tests.conformance.suite", folder]
    done = subprocess.run(command, cwd=HERE, env=variables, capture_output=True, text=True)
    print(f"== {case.name}, {mode}\n{done.stdout}{done.stderr if done.returncode else ''}")
    counts = re.findall(r"^COUNTS (.*)$", done.stdout, re.MULTILINE)
    return (counts or ["crashed"])[-1], done.returncode == 0


def _ours(environment: Path) -> tuple[str, bool]:
    """Our tests of the backend, with a real worker."""
    command = [environment / "bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/tasks"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout)
    return done.stdout.strip().splitlines()[-1], done.returncode == 0


def _environment(case: Case, python: str) -> Path:
    folder = PLACE / case.name
    if not (folder / ".installed").exists():
        print(f"Making {folder.name} with {python} ...")
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--editable", ".[dev]", *case.requirements, *TOOLS], cwd=HERE, check=True)
        (folder / ".installed").touch()
    return folder


def _tests(requirement: str) -> Path:
    """`tests/tasks` of a release, out of its sdist."""
    folder = PLACE / ("sdist-" + re.sub(r"\W+", "-", requirement).strip("-"))
    if not folder.exists():
        with tempfile.TemporaryDirectory() as fresh:
            options = ["--no-deps", "--no-binary", ":all:", "--ignore-requires-python", "--quiet", "--dest", fresh]
            subprocess.run([sys.executable, "-m", "pip", "download", *options, requirement], check=True)
            (archive,) = Path(fresh).glob("*.tar.gz")
            _unpack(archive, folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as found:
        for member in found.getmembers():
            if re.fullmatch(r"[^/]+/tests/tasks/\w+\.py", member.name) and (content := found.extractfile(member)):
                folder.mkdir(exist_ok=True)
                (folder / Path(member.name).name).write_bytes(content.read())


@contextmanager
def _server():
    """An empty Redis of our own."""
    folder = Path(tempfile.mkdtemp(prefix="kiq"))
    options = ["--port", "0", "--unixsocket", str(folder / "s"), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([server_programs()[0], *options], stdout=subprocess.DEVNULL)
    try:
        wait_for((folder / "s").exists, what="the socket of the server")
        yield f"unix://{folder / 's'}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
