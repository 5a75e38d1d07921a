"""Every interleaving of small worlds, in the model and with the real scripts. `make chaos-night` has larger ones."""

import pytest

from tests.chaos.model.worlds import BUGS, SMALL
from tests.chaos.scripts import Both, RealScripts


@pytest.fixture(scope="module")
def tried():
    """Pairs of a state and a call, and what came of each: no pair is tried in two worlds."""
    return {}


@pytest.mark.parametrize("name", SMALL)
def test_the_promise_holds(name, store, tried):
    result = SMALL[name].explore(store=Both(RealScripts(store, tried)))
    assert not result.faults, str(result)
    assert result.complete


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_shows(bug):
    world, expected = BUGS[bug]
    result = world.explore(frozenset({bug}), first=True)
    assert set(result.faults) & expected, str(result)
