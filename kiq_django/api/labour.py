"""The work on one operation: chunk after chunk, for as long as its runner may."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from kiq_django.api.budget import Budget
from kiq_django.api.deeds import UNMOVABLE, Deed, deed
from kiq_django.api.operation import Operation
from kiq_django.api.records import JobRecord
from kiq_django.exceptions import StoreError
from kiq_django.store import Store
from kiq_django.store.operations import Chunk, Claimed, End
from kiq_django.store.walks import Page

logger = logging.getLogger("kiq_django")
CHUNK = 500
"""Jobs at most that are read, and moved, in one step of Redis."""
CHUNK_BYTES = 1_000_000
"""Payloads are as large as they like, but Redis may not be held up."""
FIRST = 50
"""Jobs in the first chunk, when nobody knows how large they are."""


class Look(NamedTuple):
    """What was found in a page, as far as it was looked at."""

    page: Page
    jobs: Sequence[JobRecord]
    moves: Sequence[Any]
    """One a job."""
    skipped: int
    strangers: int
    """Jobs that were not here at the start, or that the operation has moved itself."""

    @property
    def left(self) -> set[bytes]:
        """What stays where it is."""
        return {found.raw for found in self.page.found}.difference(job.raw for job in self.jobs)


class Labour:
    """A claimed operation in the hands of its runner."""

    def __init__(self, store: Store, operation: str, runner: str, claimed: Claimed) -> None:
        self._store = store
        self._runner = runner
        self._fields = claimed.fields
        self._operation = Operation.from_fields(operation, claimed.fields)
        self._cursor = claimed.cursor
        self._stride = int(claimed.fields.get("stride", FIRST))
        self._is_ours = True

    def work(self, budget: Budget) -> None:
        """Until it is done, somebody else's, or the budget is used up. An error of ours ends the operation.

        Raises:
            StoreError: the operation stays as its last chunk left it; somebody can go on in a few seconds.
        """
        try:
            self._operation = Operation.from_fields(self._operation.id, self._fields, strict=True)
            while self._is_ours and self._chunk(budget):
                pass
            if self._is_ours:
                self._store.operations.note(self._told(self._cursor, lease=0))
        except StoreError:
            raise
        except Exception as error:
            logger.exception("Operation %s failed", self._operation.id)
            text = f"{type(error).__name__}: {error}"
            self._store.operations.note(self._told(self._cursor, end="failed", error=text))

    def _chunk(self, budget: Budget) -> bool:
        """False when there is to be no other."""
        current = deed(self._store, self._operation)
        walk = current.walk()
        look = self._look(current, walk.read(self._cursor, self._stride))
        self._stride = stride(look.page, self._stride)
        cursor = walk.after(self._cursor, look.page, look.left)
        end: End = "done" if look.page.is_last else ""
        told = self._told(cursor, end=end, looked_at=len(look.page.found) - look.strangers, skipped=look.skipped)
        answer = current.act(told, look.page, look.moves)
        if answer is None or end:
            self._is_ours = False
        if answer is None:
            return False
        self._cursor = cursor
        self._operation = replace(self._operation, done=self._operation.done + sum(answer))
        current.tell(look.jobs, answer)
        return budget.spend(len(look.page.found))

    def _look(self, current: Deed, page: Page) -> Look:
        """The jobs that are meant, up to as many as can be moved at once."""
        where, most = self._operation.where, current.most(page)
        may_match = where.sieve()
        jobs: list[JobRecord] = []
        moves: list[Any] = []
        skipped = strangers = 0
        for number, found in enumerate(page.found, 1):
            if not may_match(found.raw):
                continue
            job = current.job(found)
            if not where.matches(job):
                continue
            if current.is_strange(job):
                strangers += 1
                continue
            try:
                moves.append(current.move(job))
            except UNMOVABLE:
                skipped += 1
                continue
            jobs.append(job)
            if len(jobs) == most:
                page = page.cut(number)
                break
        return Look(page, jobs, moves, skipped, strangers)

    def _told(self, cursor: bytes, **fields: Any) -> Chunk:
        return Chunk(self._operation.id, self._runner, cursor, self._stride, **fields)


def stride(page: Page, now: int) -> int:
    """How many jobs to read at once after this page: the larger they are, the fewer."""
    if not page.found:
        return now
    return max(1, min(CHUNK, CHUNK_BYTES * len(page.found) // max(1, page.size)))
