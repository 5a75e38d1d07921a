"""Money, and a crash in between: the same job written carelessly and carefully.

`manage.py test example_project` finds what is wrong with the first, by killing it at each of its steps.
"""

import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

from django.conf import settings

from example_project.desk.models import Order, Payment
from kiq_django import job

SECONDS = 5


@job(name="charge_carelessly")
def charge_carelessly(order_id: int) -> None:
    """Looks whether it was done before, and still: killed after the charge and before the save, it charges twice."""
    order = Order.objects.get(pk=order_id)
    if not Payment.objects.filter(order=order).exists():
        reference = _charge(order)
        Payment.objects.create(order=order, reference=reference)


@job(name="charge_carefully")
def charge_carefully(order_id: int) -> None:
    """Tells the bank a key, the same in every run: so the bank knows a second request from a second sale."""
    order = Order.objects.get(pk=order_id)
    if not Payment.objects.filter(order=order).exists():
        reference = _charge(order, {"Idempotency-Key": f"order-{order.number}"})
        Payment.objects.create(order=order, reference=reference)


def _charge(order: Order, headers: dict[str, str] | None = None) -> str:
    body = json.dumps({"amount": str(order.total), "key": order.number})
    with closing(HTTPConnection(urlsplit(settings.DESK_SERVICE).netloc, timeout=SECONDS)) as connection:
        connection.request("POST", "/charges", body, headers or {})
        return json.load(connection.getresponse())["reference"]
