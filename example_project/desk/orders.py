"""Orders as customers place them."""

import random

from django.db import transaction
from django.utils import timezone

from example_project.desk.catalogue import PHOTOS, PRICES
from example_project.desk.models import Order

FIRST = ("Ada", "Björn", "Chiara", "Dmitri", "Eszter", "Fatima", "Grace", "Hiroshi", "Inês", "Jean-Luc")
LAST = (
    "Lovelace",
    "Ångström",
    "Rossi",
    "Sørensen",
    "Nagy",
    "al-Fihri",
    "Hopper",
    "Tanaka",
    "O'Neill",
    "Müller",
)


def somebody(chance: random.Random) -> tuple[str, str]:
    """Return a customer and the e-mail address."""
    first, last = chance.choice(FIRST), chance.choice(LAST)
    return f"{first} {last}", f"customer{chance.randrange(10_000)}@example.com"


def place(*, customer: str, email: str, photo: str, size: str, quantity: int = 1) -> Order:
    """Write an order down and give it its number."""
    with transaction.atomic():
        order = Order(customer=customer, email=email, photo=photo, size=size, quantity=quantity)
        order.price, order.placed_at = PRICES[size], timezone.now()
        order.number = f"draft {random.getrandbits(64):x}"
        order.save()
        order.number = f"D-{order.pk:06d}"
        order.save(update_fields=["number"])
    return order


def place_some(amount: int, seed: int = 2026) -> list[Order]:
    """Place orders of invented customers, the same ones for the same seed."""
    chance = random.Random(seed)
    return [_place_one(chance) for _ in range(amount)]


def _place_one(chance: random.Random) -> Order:
    customer, email = somebody(chance)
    photo, size = chance.choice(sorted(PHOTOS)), chance.choice(sorted(PRICES))
    return place(customer=customer, email=email, photo=photo, size=size, quantity=chance.randint(1, 9))
