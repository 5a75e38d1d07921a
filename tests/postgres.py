"""A PostgreSQL of one test alone, of Debian's package `postgresql`."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import pytest

OWNER = "postgres"
"""The server refuses to run as root."""


def programs() -> Path | None:
    """Where its programs are, those of the newest version; they are not in the PATH on Debian."""
    found = shutil.which("pg_ctl")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return Path(found).parent if found else folders[-1] if folders else None


class Database:
    """Use it as a context manager: it ends with it, and takes its data along."""

    def __init__(self, folder: Path) -> None:
        self._programs = folder
        self._directory = Path(tempfile.mkdtemp(prefix="kiq"))

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self._directory, OWNER)
        self._run("initdb", "-D", self._data, "-U", OWNER, "-A", "trust", "-N")
        self._control("start")
        return self

    def __exit__(self, *_: object) -> None:
        self._control("stop")
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def settings(self) -> dict[str, Any]:
        """For `DATABASES`: connections that are kept, and looked at before they are used again."""
        where = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": OWNER}
        return {**where, "HOST": str(self._directory), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}

    def restart(self) -> None:
        """Break all connections, and come back."""
        self._control("restart")

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a query; nothing for any other statement."""
        import psycopg

        with psycopg.connect(host=str(self._directory), user=OWNER, dbname="postgres") as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def _control(self, word: str) -> None:
        options = f"-k {self._directory} -c listen_addresses='' -c fsync=off"
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", f"{self._data}.log", "-m", "immediate", "-w", word)

    def _run(self, program: str, *arguments: str) -> None:
        as_owner = ["runuser", "-u", OWNER, "--"] if os.geteuid() == 0 else []
        command = [*as_owner, str(self._programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


def needed() -> Path:
    """Where its programs are. In continuous integration they have to be there."""
    found = programs()
    if found is None:
        message = "needs PostgreSQL (apt-get install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
