"""A folder for one rehearsal: its counts start from nothing, and the demo that people use stays as it is."""

import fcntl
import os
import shutil
import sys
from pathlib import Path

VARIABLE = "KIQ_DEMO_VAR"


def start_over(var: Path) -> None:
    """Run this very command again with an empty `var/once`. It stays when all is over, to be looked at.

    Raises:
        BlockingIOError: another rehearsal is using it.
    """
    folder = var / "once"
    lock = os.open(var / "once.lock", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.set_inheritable(lock, True)  # the next program of this process holds it on; its children do not get it
    shutil.rmtree(folder, ignore_errors=True)
    os.environ[VARIABLE] = str(folder)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - the command that is running
