"""What becomes of a job after its run."""

from kiq_django.exceptions import UnknownJob
from kiq_django.execution import Outcome
from kiq_django.payload import Payload
from kiq_django.worker import verdict
from kiq_django.worker.reservation import Reservation
from tests.worker.conftest import encoded


def concluded(error, definition=None, **fields):
    """The reservation of a job after a run that ended with `error`."""
    reservation = Reservation("me", "default", encoded("job", **fields))
    outcome = Outcome(Payload.decode(reservation.raw), "default", definition)
    outcome.error = error
    verdict.conclude(reservation, outcome)
    return reservation


def test_an_unknown_name_is_never_dropped():
    assert concluded(UnknownJob("job"), retry=False).move is not None
