"""How worker processes come to be, without starting one."""

from pathlib import Path

import pytest

from kiq_django.management.processes.starts import Spawn


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_child_that_cannot_be_spawned_leaves_no_pipe_behind():
    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    for _ in range(3):
        with pytest.raises(OSError, match="No such file"):
            Spawn(["/nowhere/python"]).child()
    assert open_files() == before
