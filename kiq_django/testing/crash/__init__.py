"""What a second run of a job does, and what a crash in the middle of one leaves behind.

Jobs run at least once: each may be cut off anywhere, and run again. `assert_idempotent` runs a job twice;
`assert_survives_crash` kills it after every effect that outlives a process, and lets it recover.
"""

from kiq_django.testing.crash.asserts import assert_idempotent, assert_survives_crash
from kiq_django.testing.crash.points import effect

__all__ = ["assert_idempotent", "assert_survives_crash", "effect"]
