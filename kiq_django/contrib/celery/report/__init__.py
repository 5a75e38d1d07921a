"""What of a code base will not carry over from Celery. Reads the files; imports and runs nothing."""

from kiq_django.contrib.celery.report.files import Report, read
from kiq_django.contrib.celery.report.notes import Note, Severity

__all__ = ["Note", "Report", "Severity", "read"]
