"""Where a run touches what outlives it, as far as that goes through Django, `http.client` or httpx."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import Any, Final
from unittest import mock

from django.core.mail.backends.locmem import EmailBackend
from django.utils.module_loading import import_string

from kiq_django.adapters.test import TestAdapter
from kiq_django.payload import Payload
from kiq_django.testing.crash import sql
from kiq_django.testing.crash.caching import CacheWatch
from kiq_django.testing.crash.points import Killed, Watch, current

REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that HTTP itself calls idempotent."""
KEY_HEADER: Final = "idempotency-key"


@contextmanager
def installed(watch: Watch, aliases: Sequence[str], cached: CacheWatch) -> Iterator[None]:
    """Have everything told to the watch."""
    with ExitStack() as stack:
        stack.enter_context(current(watch))
        stack.enter_context(sql.watched(watch, aliases))
        stack.enter_context(cached.watching(watch))
        stack.enter_context(mock.patch.object(TestAdapter, "push", _push(watch)))
        stack.enter_context(mock.patch.object(EmailBackend, "send_messages", _send_messages(watch)))
        for name, replacement in _http(watch).items():
            stack.enter_context(mock.patch.object(HTTPConnection, name, replacement))
        for patch in _httpx(watch):
            stack.enter_context(patch)
        yield


def _push(watch: Watch) -> Callable[..., None]:
    push = TestAdapter.push

    def pushed(adapter: TestAdapter, payloads: Sequence[Payload]) -> None:
        watch.breathe()
        push(adapter, payloads)
        for payload in payloads[:-1]:  # they travel in one step, so that there is one point, after the last
            with watch.as_one():
                watch.note("enqueue", *_of_job(payload))
        watch.note("enqueue", *_of_job(payloads[-1]))

    return pushed


def _of_job(payload: Payload) -> tuple[str, str]:
    brief = f"enqueued {payload.name} on {payload.queue}"
    return brief, f"{brief} with {payload.args!r} {payload.kwargs!r}"


def _send_messages(watch: Watch) -> Callable[..., int]:
    send_messages = EmailBackend.send_messages

    def sent(backend: EmailBackend, messages: Sequence[Any]) -> int:
        count = 0
        for message in messages:
            watch.breathe()
            count += send_messages(backend, [message])
            brief = f"mailed {', '.join(message.recipients())}"
            watch.note("mail", brief, f"{brief}: {message.subject!r}, {message.body!r}")
        return count

    return sent


# --- HTTP ---


def _http(watch: Watch) -> dict[str, Callable[..., Any]]:
    """`urllib`, `requests` and boto end there too."""
    putrequest, putheader, getresponse = (
        HTTPConnection.putrequest,
        HTTPConnection.putheader,
        HTTPConnection.getresponse,
    )

    def putting(connection: Any, method: str, url: str, *args: Any, **options: Any) -> None:
        watch.breathe()
        connection._kiq_request = [method, f"{connection.host}:{connection.port}{url}", ""]
        putrequest(connection, method, url, *args, **options)

    def heading(connection: Any, header: Any, *values: Any) -> None:
        name = header.decode("latin-1") if isinstance(header, bytes) else header
        if name.lower() == KEY_HEADER:
            connection._kiq_request[2] = str(values[0])
        putheader(connection, header, *values)

    def answered(connection: Any, *args: Any, **options: Any) -> Any:
        response = getresponse(connection, *args, **options)
        try:
            _requested(watch, *connection._kiq_request)
        except Killed:  # the system closes what a process had open
            response.close()
            connection.close()
            raise
        return response

    return {"putrequest": putting, "putheader": heading, "getresponse": answered}


def _httpx(watch: Watch) -> Iterator[Any]:
    """Only where somebody has imported it."""
    if "httpx" not in sys.modules:
        return
    client, async_client = import_string("httpx.Client"), import_string("httpx.AsyncClient")
    send, asend = client.send, async_client.send

    def sent(self: Any, request: Any, **options: Any) -> Any:
        watch.breathe()
        response = send(self, request, **options)
        _requested_httpx(watch, request)
        return response

    async def asent(self: Any, request: Any, **options: Any) -> Any:
        watch.breathe()
        response = await asend(self, request, **options)
        _requested_httpx(watch, request)
        return response

    yield mock.patch.object(client, "send", sent)
    yield mock.patch.object(async_client, "send", asent)


def _requested_httpx(watch: Watch, request: Any) -> None:
    address = f"{request.url.host}:{request.url.port or ''}{request.url.raw_path.decode('ascii')}"
    _requested(watch, request.method, address, request.headers.get(KEY_HEADER, ""))


def _requested(watch: Watch, method: str, address: str, key: str) -> None:
    if method.upper() in REPEATABLE:
        watch.reach("http", f"{method} {address}")
    else:
        watch.note("http", f"{method} {address}", key=key)
