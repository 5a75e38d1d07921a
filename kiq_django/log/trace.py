"""What of an error's traceback people want to read."""

from pathlib import Path
from types import TracebackType

PACKAGE = str(Path(__file__).parents[1])

Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def raised(error: BaseException) -> Raised:
    """An error as `exc_info`, from where the project's own code begins: how we came to call it helps nobody."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next and trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
        trace = trace.tb_next
    return type(error), error, trace
