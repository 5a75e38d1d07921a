"""Errors as the code of a shop raises them: with a traceback through files of the project and of libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PROJECT = "/srv/shop/"
LIBRARY = "/srv/venv/lib/python3.12/site-packages/"
Frame = tuple[str, int, str]
"""File, line and function."""

TO_THE_GATEWAY = [
    (f"{LIBRARY}requests/sessions.py", 637, "post"),
    (f"{LIBRARY}requests/sessions.py", 589, "request"),
    (f"{LIBRARY}requests/adapters.py", 713, "send"),
    (f"{LIBRARY}urllib3/connectionpool.py", 787, "urlopen"),
]


def error_class(path: str) -> type[Exception]:
    """A class of errors that says it is from another module: `billing.errors.CardTimeout`."""
    module, _, name = path.rpartition(".")
    return type(name, (Exception,), {"__module__": module or "builtins"})


CardTimeout = error_class("billing.errors.CardTimeout")
CardDeclined = error_class("billing.errors.CardDeclined")
MailRefused = error_class("smtplib.SMTPRecipientsRefused")


def raised(error: Exception, *frames: Frame) -> Exception:
    """The error as it was caught, with these frames, the outermost first."""
    *outer, inner = frames
    first, *rest = [*(_passes_on(frame) for frame in outer), _raises(inner)]
    try:
        first(*rest, error)
    except Exception as caught:
        trace = caught.__traceback__
        return caught.with_traceback(trace.tb_next if trace else None)  # without this function
    raise AssertionError("nothing was raised")


def timeout(order: int) -> Exception:
    """The gateway does not answer."""
    return raised(
        CardTimeout(f"gateway timed out after 10 s (order {order})"),
        (f"{PROJECT}billing/jobs.py", 31, "charge"),
        (f"{PROJECT}billing/gateway.py", 88, "charge_card"),
        *TO_THE_GATEWAY,
    )


def declined(order: int) -> Exception:
    """The bank says no."""
    return raised(
        CardDeclined(f"card was declined: insufficient funds (order {order})"),
        (f"{PROJECT}billing/jobs.py", 31, "charge"),
        (f"{PROJECT}billing/gateway.py", 102, "charge_card"),
    )


def refused(number: int) -> Exception:
    """No such mailbox."""
    return raised(
        MailRefused(f"550 5.1.1 <customer{number}@example.com>: mailbox unavailable"),
        (f"{PROJECT}mail/jobs.py", 18, "send_receipt"),
        (f"{LIBRARY}django/core/mail/message.py", 348, "send"),
        ("/usr/lib/python3.12/smtplib.py", 902, "sendmail"),
    )


def out_of_memory(number: int) -> Exception:
    """A report that is too large."""
    return raised(
        MemoryError(f"cannot take {number * 4096} bytes"),
        (f"{PROJECT}reports/jobs.py", 12, "build_report"),
        (f"{PROJECT}reports/build.py", 17, "table_of_year"),
        (f"{LIBRARY}pandas/core/frame.py", 3201, "pivot"),
    )


def missing(number: int) -> Exception:
    """A product that is not there any more."""
    return raised(
        KeyError(f"sku-{number}"),
        (f"{PROJECT}stock/jobs.py", 44, "sync_stock"),
        (f"{PROJECT}stock/feed.py", 140, "price_of"),
    )


def _passes_on(frame: Frame) -> Callable[..., Any]:
    return function(frame, "step, *rest", "return step(*rest)")


def _raises(frame: Frame) -> Callable[..., Any]:
    return function(frame, "error", "raise error")


def function(frame: Frame, arguments: str, body: str) -> Callable[..., Any]:
    """One that says it stands in some file."""
    path, line, name = frame
    found: dict[str, Any] = {}
    text = "\n" * (line - 2) + f"def {name}({arguments}):\n    {body or 'pass'}\n"
    exec(compile(text, path, "exec"), found)
    return found[name]
