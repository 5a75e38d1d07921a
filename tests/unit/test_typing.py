import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_types_are_kept_from_the_function_to_its_calls():
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "tests/typing_usage.py"], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    wrong = [line for line in done.stdout.splitlines() if line.startswith("tests/typing_usage.py")]
    assert wrong == []
    assert "tests/typing_usage.py" not in done.stderr
