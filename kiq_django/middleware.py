"""Links around an endpoint: a client link sees a payload on its way out, a server link a job while it runs.

A link is called with the payload and `proceed`, calls `proceed(payload)` once (perhaps with a changed
payload) and returns its answer. Not calling it is a veto. The answer of a client chain is the payload to push
or None, of a server chain what the job returned.

Links may be plain functions, coroutine functions, or objects with `__call__` and, for async jobs, a coroutine
method `acall`.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from kiq_django.payload import Payload

Endpoint = Callable[[Payload], Any]
AsyncEndpoint = Callable[[Payload], Awaitable[Any]]
Link = Callable[[Payload, Any], Any]


def compose(links: Sequence[Link], endpoint: Endpoint) -> Endpoint:
    """Put the links around the endpoint, the first outermost. Without links it is the endpoint itself."""
    for link in reversed(links):
        endpoint = _bind_awaited(link, endpoint) if _is_async(link) else _bind(link, endpoint)
    return endpoint


def acompose(links: Sequence[Link], endpoint: AsyncEndpoint) -> AsyncEndpoint:
    """The same for an async job, on its event loop. A plain link sits in a thread for as long as the job runs."""
    for link in reversed(links):
        endpoint = _abind(link, endpoint)
    return endpoint


def _is_async(link: Link) -> bool:
    return iscoroutinefunction(link) or iscoroutinefunction(getattr(link, "__call__", None))  # noqa: B004


def _bind(link: Link, proceed: Endpoint) -> Endpoint:
    def linked(payload: Payload) -> Any:
        return link(payload, proceed)

    return linked


def _bind_awaited(link: Link, proceed: Endpoint) -> Endpoint:
    """A coroutine link around a plain job: the job itself still runs in the calling thread."""
    awaited = async_to_sync(link)
    aproceed = sync_to_async(proceed, thread_sensitive=True)

    def linked(payload: Payload) -> Any:
        return awaited(payload, aproceed)

    return linked


def _abind(link: Link, proceed: AsyncEndpoint) -> AsyncEndpoint:
    awaitable = link if _is_async(link) else getattr(link, "acall", None)
    if awaitable is None:
        # Thread-sensitive: all plain links of one job share one thread, so that jobs cannot starve each other.
        awaitable = sync_to_async(link, thread_sensitive=True)
        proceed = async_to_sync(proceed)

    async def linked(payload: Payload) -> Any:
        return await awaitable(payload, proceed)

    return linked


class Around:
    """A server link out of a context manager, for plain and async jobs alike and without a thread between.

    `Around(manager)`, where `manager(payload)` is entered before the job and left after it; an error of the job comes
    out of its `yield`.
    """

    def __init__(self, manager: Callable[[Payload], AbstractContextManager[Any]]) -> None:
        self._manager = manager

    def __call__(self, payload: Payload, proceed: Endpoint) -> Any:
        with self._manager(payload):
            return proceed(payload)

    async def acall(self, payload: Payload, proceed: AsyncEndpoint) -> Any:
        with self._manager(payload):
            return await proceed(payload)
