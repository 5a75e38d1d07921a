"""`manage.py kiqworker`: `runworker` under a name that no other app has (channels has a `runworker` too)."""

from kiq_django.management.commands.runworker import Command

__all__ = ["Command"]
