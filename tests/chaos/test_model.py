"""Every interleaving of small worlds, in the model. `make chaos-night` explores larger ones."""

import pytest

from tests.chaos.model.worlds import BUGS, KNOWN, SMALL


@pytest.mark.parametrize("name", SMALL)
def test_the_promise_holds(name):
    result = SMALL[name].explore(KNOWN)
    assert not result.faults, str(result)
    assert result.complete


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_shows(bug):
    world, expected = BUGS[bug]
    result = world.explore(frozenset({bug}), first=True)
    assert set(result.faults) & expected, str(result)
