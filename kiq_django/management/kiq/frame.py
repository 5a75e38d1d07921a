"""What `kiq top` shows: everything at one moment, and what has changed since the last."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kiq_django import clock, conf
from kiq_django import store as stores
from kiq_django.api import Process, ProcessSet, Queue, QueueSummary, Stats, Work
from kiq_django.exceptions import StoreError
from kiq_django.management.kiq.sets import call
from kiq_django.management.kiq.terminal import Cell, count, duration, printable

BARS = "▁▂▃▄▅▆▇█"
HISTORY = 60
"""Moments that the line of throughput goes back."""


@dataclass(frozen=True, slots=True)
class Section:
    """One table."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str
    """What stands there when there are no rows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything at one moment."""

    head: Sequence[str]
    sections: Sequence[Section]
    trouble: str = ""
    """Why it could not be seen; then the rest is from before."""


def shares(sections: Sequence[Section], height: int) -> list[int]:
    """How many rows of each are shown within so many lines: what one does not need the others get.

    Four lines of each are no rows: its title or frame, its headers, and what is left out.
    """
    room, given = max(0, height - 4 * len(sections)), [0] * len(sections)
    while room > 0 and any(rows < len(section.rows) for rows, section in zip(given, sections, strict=True)):
        for number, section in enumerate(sections):
            if room > 0 and given[number] < len(section.rows):
                given[number] += 1
                room -= 1
    return given


class Observer:
    """Looks again and again. It reads only, in a handful of round trips."""

    def __init__(self) -> None:
        self._last: tuple[float, int, int] | None = None
        self._rates: deque[float] = deque(maxlen=HISTORY)
        self._frame = Frame([], [])

    def look(self) -> Frame:
        """The next moment. A Redis that is away is no end: it is said, and what was there before stays."""
        try:
            self._frame = self._look()
        except StoreError as error:
            return Frame(self._frame.head, self._frame.sections, str(error))
        return self._frame

    def _look(self) -> Frame:
        stats, processes = Stats(), list(ProcessSet())
        work = sorted((work for process in processes for work in process.work), key=lambda work: work.run_at)
        names = sorted({*stats.queues, *conf.get().queues})
        found = sorted(Queue.summaries(names=names), key=lambda queue: (-queue.size, queue.name))
        queues = Section("Queues", ("QUEUE", "JOBS", "OLDEST", "STATE"), [_queue(each) for each in found], "")
        headers = ("PROCESS", "TAG", "BUSY", "", "MEMORY", "STATE", "QUEUES")
        crew = Section("Processes", headers, [_process(each) for each in processes], "No worker runs.")
        heads = ("FOR", "JOB", "QUEUE", "ARGUMENTS", "PROCESS")
        running = Section("Running", heads, [_work(each) for each in work], "Nothing runs.")
        return Frame(self._head(stats, processes), [queues, crew, running])

    def _head(self, stats: Stats, processes: Sequence[Process]) -> list[str]:
        ended, failed = self._speeds(stats)
        busy, threads = sum(p.busy for p in processes), sum(p.concurrency for p in processes)
        moment = datetime.fromtimestamp(clock.now()).strftime("%H:%M:%S")
        crew = f"{count(len(processes), 'process')}, {busy} of {threads} threads busy"
        figures = {
            "waiting": stats.enqueued,
            "scheduled": stats.scheduled_size,
            "retries": stats.retry_size,
            "dead": stats.dead_size,
            "processed": stats.processed,
            "failed": stats.failed,
        }
        return [
            f"{moment}  {crew}  {stores.get().target}",
            "  ".join(f"{name} {number:,}" for name, number in figures.items()),
            f"{ended:,.1f} runs/s, {failed:,.1f} failures/s  {self._line()}",
        ]

    def _speeds(self, stats: Stats) -> tuple[float, float]:
        """Runs and failures a second since the last look; workers add them up at their beats."""
        now, last = (clock.monotonic(), stats.processed, stats.failed), self._last
        self._last = now
        if last is None or now[0] <= last[0]:
            return 0.0, 0.0
        ended, failed = ((after - before) / (now[0] - last[0]) for before, after in zip(last[1:], now[1:], strict=True))
        self._rates.append(max(0.0, ended))
        return max(0.0, ended), max(0.0, failed)

    def _line(self) -> str:
        top = max(self._rates, default=0.0)
        return "".join(BARS[round(rate / top * (len(BARS) - 1))] if top else BARS[0] for rate in self._rates)


def bar(busy: int, threads: int, cells: int = 10) -> str:
    """`######----`: how much of a process is busy."""
    full = min(cells, round(busy / threads * cells)) if threads else 0
    return "#" * full + "-" * (cells - full)


def _queue(queue: QueueSummary) -> tuple[Cell, ...]:
    state = "paused" if queue.paused else "open"
    return queue.name, queue.size, duration(queue.latency) if queue.size else "-", state


def _process(process: Process) -> tuple[Cell, ...]:
    return (
        process.identity,
        process.tag,
        f"{process.busy} of {process.concurrency}",
        bar(process.busy, process.concurrency),
        f"{process.rss / 1024:,.0f} MB",
        "quiet" if process.is_quiet else "at work",
        ",".join(process.queues),
    )


def _work(work: Work) -> tuple[Cell, ...]:
    job = work.record
    name = job.display_name or "(unreadable)"
    return duration(work.elapsed), printable(name, 60), work.queue, call(job, 40), work.process.identity
