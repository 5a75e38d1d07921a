"""Jobs of our worker under names that Ruby programs push. Only worker processes import this: `-r`."""

import time

from django.conf import settings

from kiq_django import current_job, job
from kiq_django.activejob import GlobalID
from tests.acceptance.app.jobs import note


def _is_there(name: str) -> bool:
    return (settings.DIRECTORY / name).exists()


@job(name="HardWorker")
def hard_worker(number: int, *rest: object) -> None:
    note(" ".join(map(str, ("python", number, *rest))))


@job(name="MoodyWorker", backtrace=True)
def moody_worker(number: int) -> None:
    """Fails until there is a file `mended`."""
    if not _is_there("mended"):
        note(f"failed {number}")
        raise ValueError(f"number {number} é <b>")
    note(f"mended {number}")


@job(name="PatientWorker")
def patient_worker(number: int) -> None:
    """Runs until there is a file `go`, or the worker stops."""
    note(f"began {number}")
    while not _is_there("go") and not current_job().interrupted:
        time.sleep(0.01)
    note(f"ended {number}")


@job(name="Shop::GreetingJob")
def greeting(order: GlobalID, *rest: object, **named: object) -> None:
    assert current_job().name == "Shop::GreetingJob"
    note(f"greeting {order} {rest} {sorted(named.items())}")
    if not _is_there("mended"):
        raise ValueError("not yet")


@job(name="Shop::AsyncGreetingJob")
class AsyncGreeting:
    async def perform(self, name: str, *, locale: str) -> None:
        note(f"async {name} {locale}")
