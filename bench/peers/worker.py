"""A contestant at work: its processes, what they have run so far, what they cost."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.peers import environments
from bench.peers.contestant import APPS, Contestant

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a contestant works in one measurement."""

    redis: str
    directory: Path
    postgres: str = ""
    every: int = 100
    lines: bool = False
    """With a log line or more about each job."""
    recovery: int = 0
    """Seconds after which a job of a dead worker should run again, where that can be said; 0 leaves the defaults."""

    def variables(self, contestant: Contestant, concurrency: int = 10) -> dict[str, str]:
        """For the contestant's processes."""
        more = dict(contestant.log_lines[0]) if self.lines and contestant.log_lines else {}
        if self.recovery:
            more["BENCH_RECOVERY"] = str(self.recovery)
        return environments.variables(contestant, {
            "BENCH_REDIS": self.redis, "BENCH_POSTGRES": self.postgres, "BENCH_DIRECTORY": str(self.directory),
            "BENCH_EVERY": str(self.every), "BENCH_CONCURRENCY": str(concurrency), **more,
        })  # fmt: skip


def client(contestant: Contestant, setting: Setting, *words: str, timeout: float = 300) -> str:
    """Let its client do something. Returns what it printed.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    is_ruby = contestant.client.endswith(".rb")
    command = ["ruby", contestant.client] if is_ruby else ["python", "run.py", contestant.client.removesuffix(".py")]
    command += words
    return _run(command, setting.variables(contestant), timeout)


def prepare(contestant: Contestant, setting: Setting) -> None:
    """What has to be done once on an empty server."""
    for command in contestant.setup:
        _run(list(command), setting.variables(contestant), 120)


def _run(command: list[str], variables: dict[str, str], timeout: float) -> str:
    done = subprocess.run(
        command, env=variables, cwd=APPS, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


class Worker:
    """The running processes of one contestant."""

    def __init__(
        self,
        contestant: Contestant,
        setting: Setting,
        *,
        processes: int = 1,
        concurrency: int = 10,
        more_queues: bool = False,
    ) -> None:
        self.setting = setting
        variables = setting.variables(contestant, concurrency)
        words = [word.replace("$BENCH_REDIS", setting.redis) for word in contestant.worker(processes, concurrency)]
        words += contestant.more_queues if more_queues else ()
        if contestant.name.startswith("kiq_django") and not setting.lines:
            words += ["-v", "0"]
        elif setting.lines and contestant.log_lines:
            words += contestant.log_lines[1]
        self.log = setting.directory / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                words, env=variables, cwd=APPS, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def tree(self) -> list[int]:
        """Pids of it and of all below it."""
        return family(self.process.pid)

    def cpu(self) -> float:
        """CPU seconds of all its processes, those that have ended included."""
        return sum(_cpu(pid) for pid in self.tree())

    def memory(self) -> float:
        """MB, pages that processes share counted once."""
        return sum(_pss(pid) for pid in self.tree()) / 1024

    def stop(self) -> None:
        """TERM, then KILL."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(8)
        self.kill()

    def kill(self) -> None:
        """KILL, all of them."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True, slots=True)
class Progress:
    """What the workers have noted so far."""

    ran: int
    """Jobs, up to the last round number of each process."""
    processes: int
    first: float
    """Monotonic seconds at the first job of all."""
    last: float
    """At the last one noted."""

    @property
    def rate(self) -> float:
        """Jobs a second; the first one was over before the clock ran."""
        return (self.ran - 1) / max(self.last - self.first, 1e-9)


def progress(directory: Path) -> Progress | None:
    """Read the notes; None before there are any."""
    starts, ends, ran = [], [], 0
    for path in directory.glob("ran.*"):
        notes = [line.split() for line in path.read_text().splitlines()]
        if notes:  # two threads may note in another order than that in which they counted
            starts.append(min(float(moment) for _, moment in notes))
            count, moment = max((int(count), float(moment)) for count, moment in notes)
            ends.append(moment)
            ran += count
    return Progress(ran, len(starts), min(starts), max(ends)) if starts else None


def delays(directory: Path) -> list[float]:
    """Seconds from the client's call to the start of the job, sorted."""
    return sorted(float(line) for path in directory.glob("delays.*") for line in path.read_text().split())


def await_jobs(directory: Path, number: int, slack: int, timeout: float) -> Progress:
    """Wait until so many jobs ran but for `slack` a process.

    Raises:
        TimeoutError: they did not; with how many had.
    """
    until = time.monotonic() + timeout
    found = None
    while time.monotonic() < until:
        found = progress(directory)
        if found and found.ran >= number - (slack - 1) * found.processes:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"{found.ran if found else 0} of {number} jobs ran within {timeout:.0f} s")


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found, new = [], [pid]
    while new:
        found += new
        new = [child for each in new for child in _children(each)]
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS  # utime, stime, and of waited-for children


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
