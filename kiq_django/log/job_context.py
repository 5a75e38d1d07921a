"""The job that runs now, on every record that is made inside it."""

import logging

from kiq_django.context import current
from kiq_django.log.subject import FIELDS, Subject
from kiq_django.log.threads import here


class JobContextFilter(logging.Filter):
    """For handlers: a record made inside a running job gets `jid`, `class`, `queue`, `tags`, and all in one as `kiq`.

    Outside of jobs they are empty. They are as safe to print as our own lines.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        values = record.__dict__
        if "kiq" not in values:
            job = current.get()
            values["kiq"] = Subject(job.payload, job.queue).context() if job else {}
        values.setdefault("tid", here.tid)
        for name in FIELDS:
            value = values["kiq"].get(name, "")
            values.setdefault(name, ",".join(value) if type(value) is list else value)
        return True
