"""For tests: what was enqueued, running it, moving the clock, and what a repeat or a crash would do.

With `KIQ = {"ADAPTER": "test"}` in the settings of the tests, or by the fixtures of `kiq_django.pytest_plugin`, or by
`JobsTestMixin`.
"""

from kiq_django.testing.cases import JobsTestMixin
from kiq_django.testing.crash import assert_idempotent, assert_survives_crash, effect
from kiq_django.testing.expecting import assert_enqueued
from kiq_django.testing.modes import collecting, inline
from kiq_django.testing.travel import travel
from kiq_django.testing.waiting import clear, drain, enqueued

__all__ = [
    "JobsTestMixin",
    "assert_enqueued",
    "assert_idempotent",
    "assert_survives_crash",
    "clear",
    "collecting",
    "drain",
    "effect",
    "enqueued",
    "inline",
    "travel",
]
