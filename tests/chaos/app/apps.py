"""Makes a process die, or err, at the place that the environment names. The product knows nothing of it."""

import os

from django.apps import AppConfig

from tests.chaos.app import crash


class ChaosConfig(AppConfig):
    """`KIQ_CHAOS_CRASH=after_settle:2` kills the process after its second settle."""

    name = "tests.chaos.app"
    label = "chaos"

    def ready(self) -> None:
        """Patch what is asked for."""
        if step := os.environ.get("KIQ_CHAOS_CRASH"):
            crash.arm(*step.split(":"))
