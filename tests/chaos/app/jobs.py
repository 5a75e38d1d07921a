"""Jobs that end when the test says so."""

import time

from django.conf import settings

from kiq_django import job
from tests.acceptance.app.jobs import note


@job
def hold(number: int) -> None:
    """Runs until the test lays down a file."""
    note(f"hold {number}")
    while not (settings.DIRECTORY / "go").exists():
        time.sleep(0.01)
    note(f"held {number}")
