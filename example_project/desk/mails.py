"""What the desk writes to its customers, through Django's e-mail backend."""

from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from example_project.desk.models import Order

ORDER_HEADER = "X-Desk-Order"


def receipt(order: Order) -> EmailMessage:
    """Return the receipt of an order."""
    return _mail(f"Your receipt for {order.number}", "desk/mail/receipt.txt", order)


def reminder(order: Order) -> EmailMessage:
    """Return the note that the prints lie ready."""
    return _mail(f"Your prints are ready: {order.number}", "desk/mail/reminder.txt", order)


def _mail(subject: str, template: str, order: Order) -> EmailMessage:
    text = render_to_string(template, {"order": order})
    return EmailMessage(subject, text, to=[order.email], headers={ORDER_HEADER: order.number})
