"""Which other Pythons this machine has, for what runs on a newer one than ours."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NEWEST = 14
"""Minor version of the newest Python 3 that we know of."""


def find(least: tuple[int, int]) -> str | None:
    """An interpreter of this version or a later one that can make environments: ours, else the oldest such."""
    return next((found for found in _candidates(least[1]) if _serves(found, least)), None)


def _candidates(least: int) -> Iterator[str]:
    """Wherever they usually are."""
    yield sys.executable
    of_pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    of_uv = Path.home() / ".local" / "share" / "uv" / "python"
    for minor in range(least, NEWEST + 1):
        if found := shutil.which(f"python3.{minor}"):
            yield found
        yield from map(str, sorted(of_pyenv.glob(f"3.{minor}.*/bin/python3"), reverse=True))
        yield from map(str, sorted(of_uv.glob(f"cpython-3.{minor}.*/bin/python3"), reverse=True))


def _serves(python: str, least: tuple[int, int]) -> bool:
    """A shim may bear the name of a Python that is not there."""
    code = f"import sys, venv, ensurepip; sys.exit(not ({least} <= sys.version_info[:2] <= (3, {NEWEST})))"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
