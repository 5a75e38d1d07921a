"""Playwright in a thread of its own, used from the tests as if it were here.

Playwright's plain interface keeps an event loop running in the thread that uses it. In such a thread Django refuses
its database, and pytest-asyncio its own loop. So tests hold stand-ins, and every call of theirs happens over there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any

PATIENCE = 100
"""Seconds for one call: less than a test may take, so that a browser which says nothing more is named as such."""


class _Thread(Thread):
    """Does what it is given, one after the other. Unlike an executor it keeps nobody from ending when it is stuck."""

    def __init__(self) -> None:
        super().__init__(name="playwright", daemon=True)
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self._work.put((future, call))
        return future

    def run(self) -> None:
        while True:
            future, call = self._work.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)


_thread = _Thread()
_thread.start()


def there(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function in Playwright's thread; stand-ins among the arguments become what they stand for."""
    plain = [_inside(each) for each in args]
    named = {name: _inside(each) for name, each in kwargs.items()}
    return _stand_in(_thread.submit(lambda: function(*plain, **named)).result(PATIENCE))


class Remote:
    """Stands for an object of Playwright."""

    def __init__(self, inside: Any) -> None:
        self.__dict__["inside"] = inside

    def __getattr__(self, name: str) -> Any:
        found = there(getattr, self.inside, name)
        return (lambda *args, **kwargs: there(found, *args, **kwargs)) if callable(found) else found

    def __enter__(self) -> Any:
        return there(self.inside.__enter__)

    def __exit__(self, *error: object) -> Any:
        return there(self.inside.__exit__, *error)

    def __repr__(self) -> str:
        return repr(self.inside)


def _inside(value: Any) -> Any:
    return value.inside if isinstance(value, Remote) else value


def _stand_in(value: Any) -> Any:
    if isinstance(value, list):
        return [_stand_in(each) for each in value]
    is_playwrights = type(value).__module__.startswith("playwright.") and not callable(value)
    return Remote(value) if is_playwrights and not isinstance(value, dict | str) else value
