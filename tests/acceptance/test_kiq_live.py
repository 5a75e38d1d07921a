"""`kiq top` and progress, at a real pseudo-terminal."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios

import pytest
from django.core.management import CommandError, call_command

from kiq_django.api import DeadSet, Queue, RetrySet
from kiq_django.management.kiq.frame import Frame, Section, bar, shares
from kiq_django.management.kiq.progress import Progress
from kiq_django.management.kiq.terminal import cut, width
from kiq_django.management.kiq.top import lines
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from tests.acceptance.places import lay
from tests.acceptance.process import ROOT
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


class Screen:
    """A command at a terminal of so many columns and lines."""

    def __init__(self, url, directory, *words, columns=100, rows=30):
        self.pid, self.number = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a run in the background ignores it, and so would the command
            os.environ.pop("COLUMNS", None)
            os.environ.update(
                DJANGO_SETTINGS_MODULE="tests.acceptance.settings",
                KIQ_TEST_URL=url,
                KIQ_TEST_DIRECTORY=str(directory),
                TERM="xterm-256color",
            )
            os.execv(sys.executable, [sys.executable, "-m", "django", "kiq", *words])
        fcntl.ioctl(self.number, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.said = ""
        self.code = None

    def read(self):
        """Everything so far, without what steers the terminal."""
        while select.select([self.number], [], [], 0)[0]:
            try:
                more = os.read(self.number, 65_536).decode(errors="replace")
            except OSError:
                break
            if not more:
                break
            self.said += more
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.said)

    def shows(self, *texts, timeout=20):
        try:
            wait_for(lambda: all(text in self.read() for text in texts), timeout, texts)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.read()[-3000:]}") from None

    def press(self, key):
        os.write(self.number, key.encode())

    def wait(self):
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            return pid

        wait_for(ended)
        self.read()
        return self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.number)


@pytest.fixture
def screen(store, server_url, tmp_path):
    opened = []

    def open_(*words, **options):
        opened.append(Screen(server_url, tmp_path, *words, **options))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


@pytest.mark.parametrize("look", [[], ["--plain"]], ids=["rich", "plain"])
def test_top_shows_what_is_going_on_and_leaves_as_it_came(screen, worker, push, store, look):
    worker("-c", "2", "-t", "0", "-g", "shop").ready()
    for number in range(5):
        push("begin", number, 30)
    push("touch", 1, queue="mail")
    shown = screen("top", "--every", "0.2", *look)
    shown.shows("2 of 2 threads busy", "mail", "tests.acceptance.app.jobs.b", "q quits", "at work")
    shown.shows("waiting 4", "######")
    store.queues.pause("mail", {})
    shown.shows("paused")
    shown.press("q")
    assert shown.wait() == 0
    assert shown.said.startswith("\x1b[?1049h")
    assert "\x1b[?1049l" in shown.said
    assert shown.said.rfind("\x1b[?25h") > shown.said.rfind("\x1b[?25l")


def test_top_outlives_a_redis_that_is_away_and_ends_by_ctrl_c(screen, tmp_path):
    shown = screen("top", "--every", "0.1", "--plain")
    shown.shows("No worker runs.")
    shown.press("\x03")
    assert shown.wait() == 0
    away = Screen(f"unix://{tmp_path}/nobody", tmp_path, "top", "--plain", "--every", "0.1")
    away.shows("! ", "q quits")
    away.press("q")
    assert away.wait() == 0
    away.close()


def test_top_prints_once_where_nobody_looks(store, push, capsys):
    push("touch", 1)
    call_command("kiq", "top")
    said = capsys.readouterr().out
    assert "waiting 1" in said
    assert "\x1b" not in said
    with pytest.raises(CommandError, match="--every"):
        call_command("kiq", "top", "--every", "0")


def test_each_table_gets_its_share():
    tables = [Section(str(n), ("A",), [(f"{n}.{i}",) for i in range(n)], "none") for n in (50, 2, 0, 50)]
    assert shares(tables, 1000) == [50, 2, 0, 50]
    assert shares(tables, 38) == [10, 2, 0, 10]
    assert shares(tables, 3) == [0, 0, 0, 0]
    written = lines(Frame(["head"], tables, "away"), width=20, height=30)
    assert len(written) <= 30
    assert "! away" in written
    assert any(line.startswith("... and ") for line in written)
    assert all(width(line) <= 20 for line in written)
    assert cut("日本語", 4) == "日本"
    assert [bar(0, 0), bar(1, 2, 4), bar(9, 2, 4)] == ["-" * 10, "##--", "####"]


# --- progress ---


@pytest.fixture
def dead(store):
    """So many jobs in the dead set."""

    def fill(number):
        for start in range(0, number, 5000):
            jobs = range(start, min(number, start + 5000))
            made = [Payload.new("job", [n], {}, queue="default", retry=True, now=1.5).encode() for n in jobs]
            lay(store, "dead", [(1.0 + n, raw) for n, raw in zip(jobs, made, strict=True)])

    return fill


def test_progress_is_shown_and_ctrl_c_leaves_the_rest_alone(screen, dead, store):
    dead(60_000)
    shown = screen("retry", "--all", "dead", "--yes")
    shown.shows(" of 60,000 (", "Ctrl-C ends it")
    shown.press("\x03")
    assert shown.wait() == 130
    [said] = re.findall(r"Ended by Ctrl-C\. Retried ([\d,]+) jobs of dead; the others are untouched\.", shown.read())
    done = int(said.replace(",", ""))
    assert 0 < done < 60_000
    assert store.queues.sizes(["default"]) == {"default": done}
    assert DeadSet(store).size == 60_000 - done


def test_moves_have_progress_too(screen, store):
    jobs = [Payload.new("job", [n], {}, queue="default", retry=True, now=1.5).encode() for n in range(30_000)]
    store.queues.push([Entry("default", raw) for raw in jobs])
    shown = screen("move", "default", "mail", "--yes")
    assert shown.wait() == 0
    assert "Moved 30,000 jobs to mail." in shown.read()
    assert " of 30,000 (" in shown.read()
    assert Queue("mail", store).size == 30_000


def test_without_a_terminal_there_is_no_bar(store, dead, capsys):
    dead(300)
    call_command("kiq", "retry", "--all", "dead", "--yes", "--match", "job")
    captured = capsys.readouterr()
    assert "Retried 300 jobs of dead." in captured.out
    assert captured.err == ""
    assert RetrySet(store).size == 0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_tells_share_and_time():
    stream = Terminal()
    with Progress("Moved", "to mail", 200, stream) as progress:
        progress(50)
        line = progress.line(progress._began + 10)
    assert line == "[######------------------] 50 of 200 (25%), 30 s left, Ctrl-C ends it"
    assert "50 of 200" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")
    assert Progress("Moved", "to mail", None, stream).line(0.0) == "0 jobs, Ctrl-C ends it"


def test_the_first_ctrl_c_waits_for_the_chunk_the_second_does_not():
    before = signal.getsignal(signal.SIGINT)
    with (
        pytest.raises(CommandError, match=r"Ended by Ctrl-C\. Moved 7 jobs to mail") as error,
        Progress("Moved", "to mail", 9) as progress,
    ):
        progress(3)
        signal.raise_signal(signal.SIGINT)
        progress(7)
    assert error.value.returncode == 130
    with pytest.raises(CommandError, match="Moved 3 jobs"), Progress("Moved", "to mail", 9) as progress:
        progress(3)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
