import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_types_are_kept_from_the_function_to_its_result():
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "tests/tasks/typing_usage.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert [line for line in done.stdout.splitlines() if line.startswith("tests/tasks")] == []
    assert "tests/tasks" not in done.stderr
