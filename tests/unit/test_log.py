"""The lines about jobs, the formatters, and what a project's own logging makes of them."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import execution, log, registry, signals
from kiq_django.context import RunningJob, current
from kiq_django.exceptions import Discard
from kiq_django.execution import Outcome
from kiq_django.log import job_journal
from kiq_django.log.escaping import one_line
from kiq_django.log.formatters import FORMATTERS
from kiq_django.log.lines import logger, told
from kiq_django.log.subject import Subject
from kiq_django.log.trace import raised as trace_from_the_project
from kiq_django.payload import Payload
from tests.jobsapp import jobs  # noqa: F401 - declares the jobs

JID = "0123456789abcdef01234567"
DEFINITION = "tests.jobsapp.jobs.invoice"
BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
texts = st.text(st.characters()) | st.text(st.sampled_from(BREAKS + "\x1b\x7f\u202e \"'=\\{}ab"))


def payload(**fields):
    return Payload({"class": DEFINITION, "jid": JID, "queue": "mail", "args": [], **fields})


def ended(job, error=None, elapsed=0.0204):
    outcome = Outcome(job, job.queue, registry.find(job.name))
    outcome.started_at, outcome.elapsed, outcome.error = 1_795_366_800.1239, elapsed, error
    return outcome


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


class WithoutPytests(list):
    """Handlers of the root; pytest hangs its own there, which would be a project with handlers."""

    def append(self, added):
        if not type(added).__module__.startswith("_pytest"):
            super().append(added)


@pytest.fixture(autouse=True)
def _bare_logging(monkeypatch):
    """Loggers as in a fresh process."""
    for name in ("", "kiq_django", "kiq_django.job", "kiq_django.worker"):
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "handlers", WithoutPytests())
        monkeypatch.setattr(logger, "filters", [])
        monkeypatch.setattr(logger, "level", logging.WARNING if not name else logging.NOTSET)
        monkeypatch.setitem(logger.__dict__, "callHandlers", logging.Logger.callHandlers.__get__(logger))
        logger._cache.clear()
    yield
    signals.job_dead.disconnect(dispatch_uid="kiq_django.log.died")
    signals.jobs_settled.disconnect(dispatch_uid="kiq_django.log.failures")


def handler(form="text", level=logging.NOTSET):
    found = log.BatchHandler(io.StringIO(), level)
    found.setFormatter(FORMATTERS[form]())
    return found


@pytest.fixture
def listen():
    """Put a handler on `kiq_django` and make INFO heard; returns the handler."""

    def put(found):
        logger = logging.getLogger("kiq_django")
        logger.addHandler(found)
        logger.setLevel(logging.INFO)
        return found

    return put


def lines(found):
    text = found.stream.getvalue()
    assert text == "" or text.endswith("\n")
    return text.split("\n")[:-1]


def tell(job, error=None):
    journal = log.JobJournal()
    journal.started(job, job.queue)
    journal.settled([ended(job, error)])
    journal.flush()


# --- the lines ---


def test_start_and_done_in_text(listen):
    found = listen(handler())
    tell(payload(tags=["billing", "de"]))
    about = (
        f"pid={os.getpid()} tid={threading.get_native_id():x} class={DEFINITION} jid={JID} queue=mail tags=billing,de"
    )
    start, done = lines(found)
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {re.escape(about)} INFO: start", start)
    assert done == f"2026-11-22T17:00:00.144Z {about} elapsed=0.020 INFO: done"


def test_start_and_done_in_json(listen):
    found = listen(handler("json"))
    tell(payload(tags=["billing"]))
    start, done = map(json.loads, lines(found))
    context = {"class": DEFINITION, "jid": JID, "queue": "mail", "tags": ["billing"]}
    assert list(start) == ["ts", "pid", "tid", "lvl", "msg", "ctx"]
    assert (start["lvl"], start["msg"], start["ctx"]) == ("INFO", "start", context)
    assert (done["msg"], done["ctx"]) == ("done", {**context, "elapsed": 0.02})


def test_a_failure_has_a_line_and_a_traceback(listen):
    found = listen(handler())
    tell(payload(retry_count=1), raised(ValueError("no\nsuch order")))
    _, fail, warning, *trace = lines(found)
    assert fail.endswith(r"elapsed=0.020 INFO: fail: ValueError: no\nsuch order")
    assert warning.endswith(r"WARNING: ValueError: no\nsuch order (attempt 3)")
    assert trace[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in trace)


def test_a_failure_in_json(listen):
    found = listen(handler("json"))
    tell(payload(), raised(ValueError("no\nsuch order")))
    _, fail, warning = map(json.loads, lines(found))
    assert fail["ctx"]["error"] == r"ValueError: no\nsuch order"
    assert (warning["lvl"], warning["ctx"]["jid"]) == ("WARNING", JID)
    assert warning["trace"].startswith("Traceback")


def test_what_a_job_says_by_discard_is_no_accident(listen):
    found = listen(handler())
    tell(payload(), raised(Discard("too old")))
    assert [line.rpartition("INFO: ")[2] for line in lines(found)] == ["start", "fail: Discard: too old"]


def test_an_error_whose_text_raises(listen):
    class Rude(Exception):
        def __str__(self):
            raise SystemExit

    found = listen(handler())
    tell(payload(), Rude())
    assert "fail: Rude: its text raised SystemExit" in lines(found)[1]


def test_a_line_tells_the_name_that_people_know(listen):
    found = listen(handler())
    tell(payload(wrapped="shop.Inner"))
    tell(payload(wrapped="shop.Inner", display_class="Shown"))
    assert [re.search("class=([^ ]*)", line)[1] for line in lines(found)] == ["shop.Inner"] * 2 + ["Shown"] * 2


def test_ends_without_a_start_are_told(listen):
    found = listen(handler())
    journal = log.JobJournal()
    journal.settled([ended(payload())])
    journal.flush()
    assert "tid=0 " in lines(found)[0]


def test_jobs_that_were_taken_back_are_forgotten(monkeypatch, listen):
    listen(handler())
    monkeypatch.setattr(job_journal, "MOST_RUNNING", 10)
    journal = log.JobJournal()
    for _ in range(95):
        journal.started(payload(), "mail")
        journal.flush()
    assert len(journal._running) <= 10


def test_a_batch_is_one_write(listen):
    class Counting(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            return super().write(text)

    found = handler()
    found.stream = Counting()
    listen(found)
    journal = log.JobJournal()
    for _ in range(100):
        job = payload()
        journal.started(job, "mail")
        journal.settled([ended(job)])
    journal.flush()
    assert len(lines(found)) == 200
    assert found.stream.writes == 1


# --- nothing can be forged ---


def one_line_of(record_lines):
    (line,) = record_lines
    assert len(line.splitlines()) == 1
    assert one_line(line) == line
    return line


@given(texts, texts, texts, st.lists(texts, max_size=2), texts)
def test_any_text_in_any_field_gives_one_line_a_record(name, jid, queue, tags, message):
    job = Subject(payload(**{"class": name, "jid": jid, "tags": tags}), queue, "1f")
    outcome = ended(payload(), ValueError(message))
    for end in (None, ended(payload()), outcome):
        for form in (log.TextFormatter(), log.JsonFormatter()):
            whole = form.job_line((1_795_366_800.0, job, end), 12)
            record = form.format(told((1_795_366_800.0, job, end)))
            assert one_line_of([whole]) == one_line_of(record.split("\n")).replace(str(os.getpid()), "12", 1) or (
                json.loads(whole) == {**json.loads(record), "pid": 12}
            )


@given(texts, texts, texts)
def test_fields_cannot_make_fields(name, jid, queue):
    job = Subject(payload(**{"class": name, "jid": jid}), queue, "1f")
    line = log.TextFormatter().job_line((1_795_366_800.0, job, None), 12)
    assert [field.partition("=")[0] for field in line.split(" ")[1:-2]] == ["pid", "tid", "class", "jid", "queue"]


@given(texts, texts, texts)
def test_any_record_of_any_logger(message, logger_name, trouble):
    record = logging.LogRecord(f"x{logger_name}", logging.ERROR, "", 0, "%s", (message,), None)
    error = raised(ValueError(trouble))
    broken = logging.LogRecord("x", logging.ERROR, "", 0, message, (), (ValueError, error, error.__traceback__))
    one_line_of(log.TextFormatter().format(record).split("\n"))
    first, *more = log.TextFormatter().format(broken).split("\n")
    one_line_of([first])
    assert more
    assert all(line.startswith("    ") and one_line_of([line]) for line in more)
    for each in (record, broken):
        line = one_line_of(log.JsonFormatter().format(each).split("\n"))
        assert json.loads(line)["msg"] == message


# --- the context ---


@pytest.fixture
def running():
    job = RunningJob(payload(tags=["billing"]), "mail", None)
    token = current.set(job)
    yield job
    current.reset(token)


def test_records_inside_a_job_carry_it(running):
    found = handler()
    logging.getLogger("kiq_django").addHandler(found)
    logging.getLogger("kiq_django").warning("hello %s", "there")
    assert lines(found)[0].endswith(f" class={DEFINITION} jid={JID} queue=mail tags=billing WARNING: hello there")


def test_a_projects_own_format_can_show_it(running):
    found = logging.StreamHandler(io.StringIO())
    found.setFormatter(logging.Formatter("{jid} {class} {queue} {tags} {message}", style="{"))
    found.addFilter(log.JobContextFilter())
    logging.getLogger().addHandler(found)
    logging.getLogger("shop.orders").warning("hello")
    assert lines(found) == [f"{JID} {DEFINITION} mail billing hello"]


def test_outside_of_jobs_the_fields_are_empty():
    found = handler("json")
    found.addFilter(log.JobContextFilter())
    logging.getLogger().addHandler(found)
    logging.getLogger("shop").warning("hello")
    (line,) = map(json.loads, lines(found))
    assert "ctx" not in line
    assert (line["msg"], line["logger"]) == ("hello", "shop")


# --- handlers that are not ours ---


def test_a_projects_handler_gets_records_that_say_all(listen):
    found = logging.StreamHandler(io.StringIO())
    found.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    listen(found)
    tell(payload(), raised(ValueError("gone")))
    about = f"class={DEFINITION} jid={JID} queue=mail"
    start, fail, warning, *_ = lines(found)
    assert start == f"INFO start {about}"
    assert fail == f"INFO fail {about} elapsed=0.020: ValueError: gone"
    assert warning == "WARNING ValueError: gone (attempt 1)"


def test_levels_of_handlers_count(listen):
    loud, quiet = listen(handler()), listen(handler(level=logging.WARNING))
    tell(payload(), raised(ValueError("gone")))
    assert "INFO: start" in lines(loud)[0]
    assert "WARNING: ValueError: gone" in lines(quiet)[0]


class Raising(logging.Handler):
    def handle(self, record):
        raise OSError(28, "No space left on device")


def test_a_handler_that_raises_disturbs_nobody(listen):
    listen(Raising())
    tell(payload(), raised(ValueError("gone")))
    log.configure()
    logging.getLogger("kiq_django.worker").error("trouble")


def _closed(path):
    file = path.open("w")
    file.close()
    return file


def _without_reader(path):
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w")


@pytest.mark.parametrize("broken", [_closed, _without_reader, lambda path: None], ids=["closed", "pipe", "gone"])
def test_a_broken_stream_disturbs_nobody(listen, tmp_path, monkeypatch, broken):
    stream = broken(tmp_path / "log")
    monkeypatch.setattr(sys, "stderr", None)
    listen(log.BatchHandler(stream))
    tell(payload())
    logging.getLogger("kiq_django").error("trouble")
    if stream:
        stream.close()


def test_what_no_encoding_knows_is_spelled_out(listen, tmp_path):
    with (tmp_path / "log").open("w") as file:
        found = log.BatchHandler(file)
        found.setFormatter(logging.Formatter("%(message)s"))
        listen(found)
        logging.getLogger("kiq_django").error("half \ud800 é")
    assert (tmp_path / "log").read_text("utf-8") == "half \\ud800 é\n"


# --- the worker's set-up ---


def test_alone_our_lines_go_to_stderr(capfd):
    log.configure()
    tell(payload())
    logging.getLogger("shop").warning("mine")
    logging.getLogger("shop").info("too quiet")
    out, err = capfd.readouterr()
    assert [line.rpartition(": ")[2] for line in err.splitlines()] == ["start", "done", "mine"]
    assert out == ""


def test_a_line_never_comes_twice(capfd, monkeypatch):
    own = logging.StreamHandler(io.StringIO())
    monkeypatch.setattr(logging.getLogger("shop"), "handlers", [own])
    log.configure()
    log.configure()
    logging.getLogger("shop.orders").warning("mine")
    tell(payload())
    assert own.stream.getvalue() == "mine\n"
    assert len(capfd.readouterr().err.splitlines()) == 2


def test_a_projects_handlers_stay(capfd):
    own = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(own)
    log.configure()
    tell(payload())
    assert [line.split()[0] for line in own.stream.getvalue().splitlines()] == ["start", "done"]
    assert capfd.readouterr().err == ""


def test_a_format_that_is_asked_for_takes_the_consoles_place(capfd):
    console, file = logging.StreamHandler(), logging.StreamHandler(io.StringIO())
    logging.getLogger().handlers += [console, file]
    log.configure("json")
    tell(payload())
    assert logging.getLogger().handlers[1:] == [file]
    assert [json.loads(line)["msg"] for line in capfd.readouterr().err.splitlines()] == ["start", "done"]
    assert len(file.stream.getvalue().splitlines()) == 2


@pytest.mark.parametrize(("verbosity", "level"), [(0, "WARNING"), (1, "INFO"), (2, "DEBUG"), (3, "DEBUG")])
def test_verbosity_is_djangos(verbosity, level):
    log.configure(verbosity=verbosity)
    assert logging.getLogger("kiq_django.worker").getEffectiveLevel() == getattr(logging, level)


def test_a_level_of_the_project_stands():
    logging.getLogger("kiq_django").setLevel("ERROR")
    log.configure()
    assert logging.getLogger("kiq_django").level == logging.ERROR


def test_without_job_lines_failures_are_told():
    found = handler()
    logging.getLogger("kiq_django").addHandler(found)
    log.configure(verbosity=0)
    assert log.journal() is None
    signals.send(signals.jobs_settled, None, records=[ended(payload()), ended(payload(), raised(ValueError("gone")))])
    assert lines(found)[0].endswith("WARNING: ValueError: gone (attempt 1)")
    assert "Traceback" in lines(found)[1]


def test_with_job_lines_failures_are_told_once():
    found = handler()
    logging.getLogger("kiq_django").addHandler(found)
    log.configure()
    journal = log.journal()
    outcomes = [ended(payload(), raised(ValueError("gone")))]
    journal.settled(outcomes)
    signals.send(signals.jobs_settled, None, records=outcomes)
    journal.flush()
    assert sum("WARNING" in line for line in lines(found)) == 1


def test_deaths_are_errors_and_discards_are_not():
    found, mail = handler(), logging.StreamHandler(io.StringIO())
    logging.getLogger("kiq_django").handlers += [found, mail]
    log.configure()
    log.journal()
    error = raised(ValueError("gone"))
    signals.send(signals.job_dead, None, payload=payload(), error=error)
    signals.send(signals.job_dead, None, payload=payload(discarded_at=1.5), error=Discard("old"))
    signals.send(signals.job_dead, None, payload=None, error=ValueError("not JSON"))
    said = [line.partition("queue=mail ")[2] or line.partition("tid=")[2].partition(" ")[2] for line in lines(found)]
    assert said == [
        "ERROR: dead: ValueError: gone",
        "INFO: discarded: Discard: old",
        "ERROR: unreadable, put into the dead set as it is: ValueError: not JSON",
    ]
    assert "Traceback" in mail.stream.getvalue()


def test_a_level_above_warnings_silences_failures(listen):
    found, own = listen(handler()), logging.StreamHandler(io.StringIO())
    logging.getLogger("kiq_django.job").setLevel(logging.ERROR)
    tell(payload(), raised(ValueError("gone")))
    listen(own)
    tell(payload(), raised(ValueError("gone")))
    assert found.stream.getvalue() == own.stream.getvalue() == ""


def test_an_error_that_is_false_is_an_error(listen):
    class Empty(Exception):
        def __len__(self):
            return 0

    found = listen(handler())
    tell(payload(), Empty())
    assert [line.rpartition("Z pid")[2].partition("elapsed=0.020 ")[2] for line in lines(found)[1:3]] == [
        "INFO: fail: Empty",
        "WARNING: Empty (attempt 1)",
    ]


def test_disabled_by_disable_existing_loggers(listen, monkeypatch):
    monkeypatch.setattr(logger, "disabled", True)
    found = listen(handler())
    log.configure()
    tell(payload())
    assert len(lines(found)) == 2


def test_it_works_inside_logging_settings():
    """Django sets logging up before any app is loaded."""
    program = """
import logging, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["kiq_django"], LOGGING={
    "version": 1,
    "filters": {"job": {"()": "kiq_django.log.JobContextFilter"}},
    "formatters": {"json": {"()": "kiq_django.log.JsonFormatter"}},
    "handlers": {"jobs": {"class": "kiq_django.log.BatchHandler", "formatter": "json", "filters": ["job"],
                          "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["jobs"]},
})
django.setup()
logging.getLogger("shop").warning("hello")
assert log_is_ready()
""".replace("log_is_ready()", "logging.getLogger().handlers[0].takes_lines")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["msg"] == "hello"


def test_a_traceback_begins_where_the_projects_code_does():
    named = Payload({"class": "tests.jobsapp.jobs.fail", "jid": "1", "args": ["no"]})
    _, _, trace = trace_from_the_project(execution.run(named, "default").error)
    assert trace.tb_frame.f_code.co_name == "fail"
