"""What the documents say is shown by a test is shown by one that exists."""

import re

import pytest

from tests.acceptance.process import ROOT

CLAIM = re.compile(r"`([\w/]+\.py)::(\w+)`")
FAILURES = 44


@pytest.mark.parametrize("page", ["reliability", "security"])
def test_every_test_that_is_named_exists(page):
    claims = CLAIM.findall((ROOT / "docs" / "explain" / f"{page}.md").read_text())
    assert claims
    missing = [
        f"{path}::{name}"
        for path, name in claims
        if not re.search(rf"^\s*(async )?def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_no_failure_is_passed_over():
    text = (ROOT / "docs" / "explain" / "reliability.md").read_text()
    lines = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(line.split("|")[1]) for line in lines] == list(range(1, FAILURES + 1))
