"""The id of the thread that we are in, as lines name it."""

import os
import threading


class Here(threading.local):
    """Asked of the system once a thread: it costs as much as to write a line."""

    tid: str
    """Hexadecimal."""

    def __init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Ask anew: in the child of a fork this thread has another id."""
        self.tid = f"{threading.get_native_id():x}"


here = Here()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=here.look)
