"""A double charge is found before a customer finds it: `python manage.py test example_project`."""

import re
from decimal import Decimal

import pytest
from django.test import TestCase, override_settings
from django.utils import timezone

from example_project.desk.charges import charge_carefully, charge_carelessly
from example_project.desk.models import Order
from example_project.desk.tests.bank import Bank
from kiq_django.testing import JobsTestMixin, assert_idempotent, assert_survives_crash

BOOKKEEPING = ["desk.Run"]
"""The desk's own middleware writes a row for every run; that is no harm."""


class ChargeTests(JobsTestMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bank = self.enterContext(Bank())
        self.enterContext(override_settings(DESK_SERVICE=self.bank.url))
        self.order = Order.objects.create(
            number="A-1", email="ada@example.com", price=Decimal("9.90"), placed_at=timezone.now()
        )

    def test_running_it_twice_one_after_the_other_shows_nothing(self) -> None:
        assert_idempotent(charge_carelessly, self.order.pk, ignore=BOOKKEEPING)
        assert self.bank.charges == 1

    def test_a_crash_between_charge_and_save_charges_twice(self) -> None:
        with pytest.raises(AssertionError) as caught:
            assert_survives_crash(charge_carelessly, self.order.pk, ignore=BOOKKEEPING)
        print(f"\n{caught.value}")
        assert re.search(r"Killed right after POST .*/charges, at \S*desk/charges\.py:\d+", str(caught.value))
        assert "/charges: twice instead of once" in str(caught.value)

    def test_with_a_key_for_the_bank_it_does_not(self) -> None:
        assert_idempotent(charge_carefully, self.order.pk, ignore=BOOKKEEPING)
        assert self.bank.charges == 1
        assert_survives_crash(charge_carefully, self.order.pk, ignore=BOOKKEEPING)
        assert self.bank.charges == 1
