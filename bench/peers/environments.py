"""An environment for each contestant, made when it is first needed and kept for the next time."""

import os
import shutil
import subprocess
from pathlib import Path

from bench import interpreters
from bench.peers.contestant import APPS, ROOT, Contestant

HOME = ROOT / ".bench"
"""Where environments are kept; ignored by git."""


class Missing(Exception):  # noqa: N818
    """A contestant that cannot take part here, and why."""


def programs(contestant: Contestant) -> Path | None:
    """The folder of its programs; None for one that the system brings.

    Raises:
        Missing: with the reason.
    """
    if contestant.needs:
        if not shutil.which(contestant.needs):
            raise Missing(f"no program {contestant.needs}")
        return None
    folder = HOME / contestant.key
    stamp = folder / "installed"
    if not stamp.exists():
        _make(folder, contestant)
        stamp.touch()
    return folder / "bin"


def _make(folder: Path, contestant: Contestant) -> None:
    python = interpreters.find(contestant.python)
    if python is None:
        raise Missing(f"no Python {contestant.python[0]}.{contestant.python[1]} or newer here")
    shutil.rmtree(folder, ignore_errors=True)
    _call([python, "-m", "venv", str(folder)], "make an environment")
    packages = [part for each in contestant.packages for part in (["-e", each] if each.startswith("/") else [each])]
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    _call([*pip, *packages], f"install {' '.join(contestant.packages)}")


def _call(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Missing(f"cannot {what}: {last}")


def variables(contestant: Contestant, more: dict[str, str]) -> dict[str, str]:
    """What its processes find in their environment."""
    found = {**os.environ, "PYTHONPATH": str(APPS), **contestant.environment, **more}
    if folder := programs(contestant):
        found["PATH"] = f"{folder}:{found['PATH']}"
        found["VIRTUAL_ENV"] = str(folder.parent)
    return found
