"""The courier's web service, which is not always in the mood."""

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

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
    try:
        return _post("/bookings", {"key": order.number, "pieces": order.quantity})["tracking"]
    except (OSError, HTTPException) as error:
        raise CourierBusyError(f"the courier could not book {order.number}: {error}") from error


def _post(path: str, document: dict) -> dict:
    with closing(HTTPConnection(urlsplit(settings.DESK_SERVICE).netloc, timeout=SECONDS)) as connection:
        connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.load(answer)
    if answer.status >= 400:
        raise HTTPException(f"{answer.status} {body.get('error', '')}")
    return body
