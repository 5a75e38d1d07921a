"""Nothing grows while a worker works; `make soak` looks for longer."""

import pytest

from tests.soak import Look, Result, soak

pytestmark = pytest.mark.acceptance


def test_nothing_grows(server_url, tmp_path):
    result = soak(server_url, tmp_path, 30)
    assert result.holds, f"{result}; grown: {result.grown}"


@pytest.mark.parametrize("name", ["threads", "descriptors", "rss", "connections", "lasting"])
def test_it_sees_what_grows(name):
    flat = Look(12, 20, 60_000, 14, 9)
    more = {each: getattr(flat, each) for each in Look.__slots__} | {name: getattr(flat, name) * 2}
    assert Result(flat, flat, 5, 5, []).holds
    assert Result(flat, Look(**more), 5, 5, []).grown == [name]
    assert not Result(flat, flat, 5, 4, []).holds
    assert not Result(flat, flat, 5, 5, ["strange"]).holds
