"""The courier's web service, which is not always in the mood."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException

from django.conf import settings

from example_project.desk.models import Order

SECONDS = 5


class CourierBusyError(Exception):
    """No answer, or none of use. Asking again will help."""


def book(order: Order) -> str:
    """Ask for a van and return the tracking number. The order's number is the key: twice is one parcel.

    Raises:
        CourierBusyError: the service hung up, was not there, or answered with an error of its own.
    """
    body = json.dumps({"key": order.number, "pieces": order.quantity}).encode()
    request = urllib.request.Request(  # noqa: S310 - the address is a setting
        f"{settings.DESK_SERVICE}/bookings", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return json.load(answer)["tracking"]
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise CourierBusyError(f"the courier could not book {order.number}: {error}") from error
