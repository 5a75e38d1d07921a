"""What one job returned, and how far it says to be."""

from dataclasses import dataclass
from typing import Any

from kiq_django import results
from kiq_django import store as stores
from kiq_django.codec import loads
from kiq_django.exceptions import MalformedPayload
from kiq_django.results import Progress
from kiq_django.store import Store

__all__ = ["Kept", "Progress", "kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """As the job's record tells."""

    progress: Progress | None
    has_value: bool
    value: Any
    """As it travels: rich values are not decoded, which may ask the database."""


def kept(jid: str, store: Store | None = None) -> Kept | None:
    """What is kept of a job, in one round trip; None when nothing is."""
    stored = (store or stores.get()).results.read(jid)
    if stored is None:
        return None
    is_done = stored.record is not None and stored.record.place == "done" and stored.is_kept
    try:
        value = loads(stored.result) if is_done and stored.result else None
    except MalformedPayload:
        value = None
    return Kept(results.read_progress(stored.progress), is_done and bool(stored.result), value)
