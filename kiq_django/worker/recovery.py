"""Gives back at once what a process held that is known to be gone: its lease need not end first."""

import logging
import time

from kiq_django import clock
from kiq_django.exceptions import StoreError
from kiq_django.store import Store
from kiq_django.worker.outage import Outage
from kiq_django.worker.reaper import Reaper

logger = logging.getLogger("kiq_django.worker")


def recover(store: Store, identity: str, lease: float) -> int:
    """Take its jobs back, on every queue that anybody ever served, and its name off the list of processes.

    While Redis is away it is tried again for as long as the lease lasts; after that any reaper does it.

    Returns:
        How many jobs there were.
    """
    outage = Outage(f"Giving back the jobs of {identity}")
    deadline = clock.monotonic() + lease
    while True:
        try:
            return _take_back(store, identity, lease)
        except StoreError as error:
            wait = outage.note(error)
            if clock.monotonic() + wait > deadline:
                return 0
            time.sleep(wait)


def _take_back(store: Store, identity: str, lease: float) -> int:
    reaper = Reaper(store, lease, lease)
    held = [
        (queue, owner)
        for queue in store.working.served()
        for owner, ends in store.working.owners(queue).items()
        if owner.startswith(f"{identity}:") and ends >= 0
    ]
    total = reaper.reap_all(held, force=True)
    store.processes.leave(identity)
    return total
