"""The lines about jobs' lives, and formatters for every record: text, or Sidekiq's JSON.

A start is noted by the thread that runs the job, which only appends to a deque. The fetcher's thread makes the
lines of a whole batch and writes them at once, so that ten busy threads never queue up for a handler's lock.

No data of a job can forge a line: in text, whatever breaks a line or steers a terminal is escaped, in a field
white space too, and the further lines of a traceback are indented. JSON is one line a record.

A project's own `LOGGING` applies to all of it. For our form and speed in it:
`"handlers": {"jobs": {"class": "kiq_django.log.BatchHandler"}}`; to have `{jid}`, `{class}`, `{queue}` and
`{tags}` in a format of your own: `"filters": {"job": {"()": "kiq_django.log.JobContextFilter"}}`.
"""

from kiq_django.log.configuration import configure
from kiq_django.log.formatters import JsonFormatter, TextFormatter
from kiq_django.log.handler import BatchHandler
from kiq_django.log.job_context import JobContextFilter
from kiq_django.log.job_journal import JobJournal, journal

__all__ = [
    "BatchHandler",
    "JobContextFilter",
    "JobJournal",
    "JsonFormatter",
    "TextFormatter",
    "configure",
    "journal",
]
