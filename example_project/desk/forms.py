"""The form in which a customer orders prints."""

from django import forms

from example_project.desk import orders
from example_project.desk.models import Order


class OrderForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ["customer", "email", "photo", "size", "quantity"]

    def place(self) -> Order:
        """Write the order down. The form must be valid."""
        return orders.place(**self.cleaned_data)
