"""For tests that are classes of `unittest`, or of Django."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kiq_django.execution import Outcome
from kiq_django.jobs import Job
from kiq_django.payload import Payload
from kiq_django.testing import waiting
from kiq_django.testing.crash import assert_idempotent, assert_survives_crash
from kiq_django.testing.expecting import assert_enqueued
from kiq_django.testing.modes import collecting, inline
from kiq_django.testing.travel import travel

if TYPE_CHECKING:
    from unittest import TestCase as Base
else:
    Base = object


class JobsTestMixin(Base):
    """`class OrderTests(JobsTestMixin, TestCase)`: every test begins with an empty test adapter.

    With `kiq_inline = True` jobs run inside of the call that enqueues them.
    """

    kiq_inline = False

    def setUp(self) -> None:
        """Choose the adapter; it goes with the test."""
        self.enterContext(inline() if self.kiq_inline else collecting())
        super().setUp()

    def assertEnqueued(self, job: Job[..., Any], **expected: Any) -> assert_enqueued:  # noqa: N802 - unittest's style
        """`with self.assertEnqueued(job, args=[7], ...)`, as `assert_enqueued`."""
        return assert_enqueued(job, **expected)

    def assertIdempotent(self, job: Job[..., Any], *args: Any, **options: Any) -> None:  # noqa: N802
        """As `assert_idempotent`."""
        assert_idempotent(job, *args, **options)

    def assertSurvivesCrash(self, job: Job[..., Any], *args: Any, **options: Any) -> None:  # noqa: N802
        """As `assert_survives_crash`."""
        assert_survives_crash(job, *args, **options)

    def enqueued(self, job: Job[..., Any] | None = None, *, queue: str | None = None) -> Sequence[Payload]:
        """What waits."""
        return waiting.enqueued(job, queue=queue)

    def drain(
        self,
        *,
        queue: str | None = None,
        until: datetime | timedelta | float | None = None,
        limit: int | None = None,
    ) -> list[Outcome]:
        """Run what waits, and what that enqueues."""
        return waiting.drain(queue=queue, until=until, limit=limit)

    def travel(self, to: datetime | timedelta | float, *, freeze: bool = False) -> None:
        """Move the clock until the end of this test."""
        self.enterContext(travel(to, freeze=freeze))
