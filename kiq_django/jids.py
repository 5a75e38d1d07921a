"""The identities of jobs."""

import os
from collections.abc import Sequence
from typing import Final, overload


def new_jid() -> str:
    """24 lower-case hex characters, as Sidekiq's."""
    return os.urandom(12).hex()


class JidRange(Sequence[str]):
    """The ids of a bulk without a list of them: 8 random bytes, then a counter of 4 bytes, in hex.

    `take()` gives the next id; as a sequence it holds the ids taken so far. A million cost as much as one.
    """

    __slots__ = ("_prefix", "_taken")
    LIMIT: Final = 2**32

    def __init__(self, count: int = 0, prefix: str | None = None) -> None:
        self._prefix = os.urandom(8).hex() if prefix is None else prefix
        self._taken = count

    def take(self) -> str:
        """The next id.

        Raises:
            OverflowError: 2**32 ids are taken.
        """
        if self._taken >= self.LIMIT:
            raise OverflowError("one bulk has 2**32 ids; start another")
        self._taken += 1
        return f"{self._prefix}{self._taken - 1:08x}"

    def __len__(self) -> int:
        return self._taken

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        positions = range(self._taken)[index]
        if isinstance(positions, range):
            return [f"{self._prefix}{position:08x}" for position in positions]
        return f"{self._prefix}{positions:08x}"

    def __repr__(self) -> str:
        return f"<JidRange {self._prefix}* of {self._taken}>"
