"""What this process was started as. All that a worker without children needs to know of them."""

import os

CHILD = "KIQ_CHILD"
"""In the environment of a spawned child: the number of its pipe. It starts no children of its own."""
TRIAL = "KIQ_TRIAL"
"""In the environment of a process that loads the project, reads the configuration, and says by its exit code how that
went."""


def is_child() -> bool:
    """This process was spawned by another worker."""
    return CHILD in os.environ


def is_trial() -> bool:
    """This process only tries whether the project loads."""
    return TRIAL in os.environ
