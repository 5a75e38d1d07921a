"""What mypy and pyright, both strict, say of examples: nothing of the good ones, and each mistake at its line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOOD, WRONG = (f"tests/typed/{name}.py" for name in ("good", "wrong"))


def mypy():
    """Lines with an error, by file."""
    done = run("mypy", GOOD, WRONG)
    assert done.returncode in (0, 1), done.stderr
    return {
        (file, int(line))
        for file, line in re.findall(r"^(tests/typed/\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    }


def pyright():
    done = run("basedpyright", "--outputjson", "--project", str(HERE), "--pythonpath", sys.executable)
    told = json.loads(done.stdout)["generalDiagnostics"]
    return {
        (str(Path(each["file"]).relative_to(ROOT)), each["range"]["start"]["line"] + 1)
        for each in told
        if each["severity"] == "error"
    }


def run(checker, *arguments):
    command = [sys.executable, "-m", checker, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_each_mistake_is_seen_and_nothing_else(checker):
    lines = (ROOT / WRONG).read_text().splitlines()
    expected = {(WRONG, number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(expected) > 20
    assert checker() == expected


def test_the_marker_for_type_checkers_is_shipped():
    assert (ROOT / "kiq_django" / "py.typed").exists()
