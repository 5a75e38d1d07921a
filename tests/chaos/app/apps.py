"""Makes a process die, or err, at the place that the environment names. The product knows nothing of it."""

import os

from django.apps import AppConfig

from kiq_django import clock
from tests.chaos.app import crash, mutants


class ChaosConfig(AppConfig):
    """What is asked for in the environment.

    `KIQ_CHAOS_CRASH=after_settle:2` kills the process after its second settle. `KIQ_CHAOS_MUTANT=no_fence` gives it
    a bug. `KIQ_CHAOS_SKEW=-3600` sets its clock back by an hour. `KIQ_CHAOS_STDERR=/dev/full` is where it writes its
    log.
    """

    name = "tests.chaos.app"
    label = "chaos"

    def ready(self) -> None:
        """Patch what is asked for."""
        if bug := os.environ.get("KIQ_CHAOS_MUTANT"):
            mutants.bring(bug)
        if step := os.environ.get("KIQ_CHAOS_CRASH"):
            crash.arm(*step.split(":"))
        if skew := os.environ.get("KIQ_CHAOS_SKEW"):
            right = clock.now
            clock.now = lambda: right() + float(skew)
        if path := os.environ.get("KIQ_CHAOS_STDERR"):
            os.dup2(os.open(path, os.O_WRONLY), 2)
