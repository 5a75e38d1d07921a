"""Many payloads of one job, a slice at a time; where they differ in arguments and id alone, without making each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from kiq_django.codec import dump_each
from kiq_django.payload import Payload

T = TypeVar("T")
SLICE: Final = 1_000


class Slice:
    """Calls on their way: payloads where somebody wants to see each, else bytes.

    A call is the list of its arguments, as JSON has them, or whatever else `make` makes a payload of.
    """

    __slots__ = ("_calls", "_jids", "_make")

    def __init__(self, calls: Sequence[Any], jids: Sequence[str], make: Callable[[Any, str], Payload]) -> None:
        self._calls = calls
        self._jids = jids
        self._make = make

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Payload]:
        return map(self._make, self._calls, self._jids)

    def pattern(self) -> Payload | None:
        """The first one without its arguments. None where others differ from it by more than arguments and id."""
        if any([type(call) is not list for call in self._calls]):  # noqa: C419 - a list is faster
            return None
        return self._make([], self._jids[0])

    def written(self, pattern: Payload) -> list[bytes] | None:
        """All of them, given the `pattern` as it is to be stored: the bytes that each for itself would have.

        None where the pattern has lost its shape on the way, so that nothing can be cut by it.
        """
        head, found, tail = pattern.encode().partition(b'[],"jid":"%b"' % self._jids[0].encode())
        if not found:
            return None
        written = zip(dump_each(self._calls), self._jids, strict=True)
        return [b'%b%b,"jid":"%b"%b' % (head, args, jid.encode(), tail) for args, jid in written]


def for_each(action: Callable[[T], object], items: Iterable[T], *, ends: tuple[type[Exception], ...] = ()) -> None:
    """Do it with each, whatever it raises for one of them: nobody would come back for those behind.

    Args:
        ends: errors after which there is no sense in going on.

    Raises:
        Exception: the first that it raised.
    """
    trouble: Exception | None = None
    for item in items:
        try:
            action(item)
        except Exception as error:  # noqa: BLE001 - raised at the end
            trouble = trouble or error
            if isinstance(error, ends):
                break
    if trouble is not None:
        raise trouble


def slices(items: Iterable[T]) -> Iterator[list[T]]:
    """A thousand at a time."""
    iterator = iter(items)
    while part := list(islice(iterator, SLICE)):
        yield part
