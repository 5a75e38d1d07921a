"""Compares what was counted with what it must be."""

from collections.abc import Iterator
from dataclasses import fields

from example_project.demo.tally import Tally

COUNTED = tuple(field.name for field in fields(Tally) if field.type is int)


def differences(counted: Tally, must: Tally, cut_short: int) -> Iterator[str]:
    """Say where a count is not what it must be.

    Args:
        counted: what was found.
        must: what has to be found when no worker is killed.
        cut_short: runs that a kill may have cut short. Each may have run again, and a failed one was repeated
            without being counted as a retry.
    """
    slack = {"again": (0, cut_short), "retried": (-cut_short, 0)}
    for name in COUNTED:
        found, wanted = getattr(counted, name), getattr(must, name)
        least, most = slack.get(name, (0, 0))
        if not wanted + least <= found <= wanted + most:
            bounds = f"{wanted + least} to {wanted + most}" if least != most else str(wanted)
            yield f"{counted.title}: {found} {LABELS[name]}, and it must be {bounds}"


LABELS = {name: name for name in COUNTED} | {"again": "run again"}
