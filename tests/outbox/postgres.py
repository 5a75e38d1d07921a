"""A PostgreSQL of the test run's own, without which the outbox would only be tried on SQLite."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import wait_for

USER = "postgres"


def programs() -> Path | None:
    """The folder with the newest `initdb`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@contextmanager
def cluster() -> Iterator[Path]:
    """The folder of a running server's socket. It refuses to run as root, so it runs as its own user there."""
    folder = programs()
    if folder is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "PostgreSQL is not installed (apt-get install postgresql)"
        )
    root = Path(tempfile.mkdtemp(prefix="kiqpg"))
    who = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    if who:
        shutil.chown(root, USER, who["group"])
    root.chmod(0o755)
    data, quiet = root / "data", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": root}
    subprocess.run([folder / "initdb", "-D", data, "-A", "trust", "-U", USER, "-N"], check=True, **quiet, **who)
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={root}"]
    server = subprocess.Popen([folder / "postgres", "-D", data, *options], **quiet, **who)
    try:
        ready = [folder / "pg_isready", "-h", root, "-U", USER]
        wait_for(lambda: subprocess.run(ready, **quiet).returncode == 0, 30, "PostgreSQL's first answer")
        yield root
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(root, ignore_errors=True)
