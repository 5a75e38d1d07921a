"""`kiq queues`, `kiq pause`, `kiq resume`, `kiq clear`, `kiq move`."""

import getpass
import socket
from collections.abc import Sequence

from django.core.management.base import CommandError, CommandParser

from kiq_django import conf
from kiq_django.api import Queue, QueueSummary
from kiq_django.management.kiq.progress import Progress
from kiq_django.management.kiq.subcommand import Options, Subcommand, yes_option
from kiq_django.management.kiq.terminal import Terminal, count, duration, iso, relative


def queues(terminal: Terminal, options: Options) -> None:
    """All queues that exist, or shall."""
    found = Queue.summaries(names=_known())
    if options["json"]:
        parts = _parts(found)
        terminal.json([{**_plain(queue), **_sizes_of(parts.get(queue.name))} for queue in found])
        return
    parts = _parts(found)
    rows = [row for queue in found for row in (_row(queue), *map(_row_of_part, parts.get(queue.name, ())))]
    terminal.table(("QUEUE", "SIZE", "LATENCY", "STATE"), rows)


def _parts(found: Sequence[QueueSummary]) -> dict[str, Sequence[QueueSummary]]:
    """The lists of those queues that have several."""
    lists = {queue.name: [part.name for part in Queue(queue.name).lists] for queue in found}
    return {name: Queue.summaries(names=names) for name, names in lists.items() if len(names) > 1}


def _row_of_part(part: QueueSummary) -> tuple[str | int, ...]:
    return f"  {part.name}", part.size, duration(part.latency) if part.size else "-", ""


def _sizes_of(parts: Sequence[QueueSummary] | None) -> dict[str, object]:
    return {"lists": {part.name: part.size for part in parts}} if parts else {}


def _known() -> list[str]:
    return sorted({*(queue.name for queue in Queue.all()), *conf.get().queues})


def _plain(queue: QueueSummary) -> dict[str, object]:
    note = {**queue.pause_note, "at": iso(queue.pause_note.get("at"))} if queue.pause_note else None
    return {
        "name": queue.name,
        "size": queue.size,
        "latency": round(queue.latency, 3),
        "paused": queue.paused,
        "pause_note": note,
        "suspects": queue.suspects,
    }


def _row(queue: QueueSummary) -> tuple[str | int, ...]:
    return queue.name, queue.size, duration(queue.latency) if queue.size else "-", _state(queue)


def _state(queue: QueueSummary) -> str:
    held = f"; {count(queue.suspects, 'job')} held back, to run one at a time" if queue.suspects else ""
    return f"{_pause(queue) if queue.paused else 'open'}{held}"


def _pause(queue: QueueSummary) -> str:
    note = queue.pause_note
    by = f" by {note['by']}" if note.get("by") else ""
    at = f" {relative(note['at'])}" if isinstance(note.get("at"), float) else ""
    reason = f": {note['reason']}" if note.get("reason") else ""
    return f"paused{by}{at}{reason}"


def pause(terminal: Terminal, options: Options) -> None:
    """Stop the fetching."""
    by = options["by"] or f"{getpass.getuser()}@{socket.gethostname()}"
    for queue in _named(options["queues"]):
        queue.pause(by, options["reason"])
        terminal.say(f"Paused {queue.name}: {count(queue.size, 'job')} wait. Undo it with: kiq resume {queue.name}")


def _pause_arguments(parser: CommandParser) -> None:
    _queue_arguments(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for whoever looks")
    parser.add_argument("--by", default="", metavar="NAME", help="who; default: user@host")


def resume(terminal: Terminal, options: Options) -> None:
    """Undo a pause."""
    for queue in _named(options["queues"]):
        was_paused = queue.resume()
        terminal.say(f"Resumed {queue.name}." if was_paused else f"{queue.name} was not paused.")


def clear(terminal: Terminal, options: Options) -> None:
    """Delete what waits."""
    chosen = _named(options["queues"])
    total, names = sum(queue.size for queue in chosen), ", ".join(queue.name for queue in chosen)
    terminal.confirm(f"Delete {count(total, 'job')} waiting in {names} for good?", yes=options["yes"])
    for queue in chosen:
        terminal.say(f"Deleted {count(queue.clear(), 'job')} of {queue.name}.")


def _clear_arguments(parser: CommandParser) -> None:
    _queue_arguments(parser)
    yes_option(parser)


def move(terminal: Terminal, options: Options) -> None:
    """Empty one queue into another."""
    (queue,) = _named([options["queue"]])
    terminal.confirm(
        f"Move {count(queue.size, 'job')} from {queue.name} to the back of {options['to']}?", yes=options["yes"]
    )
    with Progress("Moved", f"to {options['to']}", queue.size) as progress:
        done = queue.move_all(options["to"], progress)
    terminal.say(f"Moved {count(done, 'job')} to {options['to']}.")


def _move_arguments(parser: CommandParser) -> None:
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("to", metavar="TO", help="the other queue")
    yes_option(parser)


def _queue_arguments(parser: CommandParser) -> None:
    parser.add_argument("queues", nargs="+", metavar="QUEUE")


def _named(names: Sequence[str]) -> list[Queue]:
    """All of them, or an error before anything is done to one. One list of a queue is a queue too."""
    known = sorted({part.name for name in _known() for part in (Queue(name), *Queue(name).lists)})
    for name in names:
        if name not in known:
            raise CommandError(f"There is no queue {name!r}. {conf.did_you_mean(name, known)}")
    return [Queue(name) for name in dict.fromkeys(names)]


SUBCOMMANDS = (
    Subcommand("queues", "queues with size, latency and state", queues, reads=True),
    Subcommand("pause", "keep workers from fetching from queues; what runs goes on", pause, _pause_arguments),
    Subcommand("resume", "undo pause", resume, _queue_arguments),
    Subcommand("clear", "delete queues with all jobs that wait in them", clear, _clear_arguments),
    Subcommand("move", "move all jobs of a queue to the back of another", move, _move_arguments),
)
