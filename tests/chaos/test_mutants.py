"""The suite is worth its time: given a bug, it fails. Here three of them; `make chaos-mutants` tries all."""

import pytest

from kiq_django.store import scripts
from tests.chaos.app.mutants import MUTANTS
from tests.chaos.mutants import is_caught

QUICK = ("hasty_adoption", "reserve_for_the_reaped", "import_by_name")


@pytest.mark.parametrize("bug", QUICK)
def test_a_bug_is_caught(bug):
    caught, said = is_caught(bug)
    assert caught, said


@pytest.mark.parametrize("bug", [name for name, mutant in MUTANTS.items() if mutant.edits])
def test_a_bug_in_a_script_can_still_be_brought(bug):
    for script, old, _ in MUTANTS[bug].edits:
        assert old in (scripts.FOLDER / f"{script}.lua").read_text(), "give the mutant another text"
