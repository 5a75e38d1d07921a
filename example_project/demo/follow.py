"""Shows on the terminal what a process writes into its log."""

from pathlib import Path


class Follower:
    """Reads the lines that come to a file after this moment."""

    def __init__(self, path: Path) -> None:
        self._file = path.open(errors="replace")
        self._rest = ""

    def lines(self) -> list[str]:
        """Return the whole lines that are new."""
        *whole, self._rest = (self._rest + self._file.read()).split("\n")
        return whole

    def close(self) -> None:
        self._file.close()
