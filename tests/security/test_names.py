"""Names in payloads are looked up among the declared jobs and lead nowhere else: nothing is imported or called."""

import json
import os
import sys
import textwrap
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kiq_django import api, execution, routing
from kiq_django.api.records import JobRecord
from kiq_django.codec import dump_bytes
from kiq_django.exceptions import MalformedPayload, UnknownJob
from kiq_django.payload import Payload
from kiq_django.redaction import redact_call
from kiq_django.store.queues import Entry
from tests.security.chance import patient
from tests.support import wait_for

PACKAGE = "canary_package_of_an_attacker"
OF_AN_ATTACKER = {PACKAGE, "a", "Kernel", "Object"}
DANGEROUS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class"}
"""Events of Python's audit hooks that no payload may cause. (`exec` and `marshal.loads` belong to any import.)"""
ATTACKS = [
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.check_output",
    "a.b.c",
    "__main__:x",
    "__main__.x",
    f"{PACKAGE}.jobs.boom",
    f"{PACKAGE}.jobs:boom",
    PACKAGE,
    f".{PACKAGE}",
    "kiq_django.conf.reset",
    "django.core.management.call_command",
    "tests.jobsapp.jobs.record.__call__",
    "tests.jobsapp.jobs.record.definition.target",
    "Kernel",
    "Object.const_get",
    "__import__('os').system('true')",
    "!ruby/object:Gem::Installer",
    "!!python/object/apply:os.system",
    "cos\nsystem\n(S'true'\ntR.",
    "{{ 7 * 7 }}",
    "%(os)s",
    "{0.__class__}",
]

_seen: list[tuple[str, str]] | None = None


def _hook(event, args):
    if _seen is not None and (event == "import" or event in DANGEROUS):
        _seen.append((event, str(args[0])))


sys.addaudithook(_hook)  # for good, since hooks cannot be taken away


@contextmanager
def nothing_happens():
    """Inside the block no module of the attacker is imported, and nothing dangerous happens."""
    global _seen
    _seen = []
    try:
        yield
        events = _seen
    finally:
        _seen = None
    assert [name for event, name in events if event != "import" or name.partition(".")[0] in OF_AN_ATTACKER] == []
    assert [name for name in sys.modules if name.startswith(PACKAGE)] == []


@pytest.fixture(scope="module", autouse=True)
def _trap(tmp_path_factory):
    """A package that could be imported, and would tell."""
    root = tmp_path_factory.mktemp("trap")
    (root / PACKAGE).mkdir()
    for name in ("__init__", "jobs"):
        (root / PACKAGE / f"{name}.py").write_text(
            textwrap.dedent("""
            import os
            os.environ["CANARY"] = __name__
            def boom(*args, **kwargs): os.environ["CANARY"] = "boom"
        """)
        )
    sys.path.insert(0, str(root))
    yield
    sys.path.remove(str(root))


def test_the_trap_works():
    with pytest.raises(AssertionError), nothing_happens():
        __import__(f"{PACKAGE}.jobs")
    assert os.environ.pop("CANARY") == f"{PACKAGE}.jobs"
    for name in (f"{PACKAGE}.jobs", PACKAGE):
        del sys.modules[name]


def everything_named(name: str) -> list[dict]:
    """A payload for each field whose text somebody could take for a name of something."""
    base = {"class": "tests.jobsapp.jobs.record", "jid": "j", "queue": "default", "args": [1], "created_at": 1.5}
    inside = {"job_class": name, "arguments": [{"_aj_serialized": name, "value": name}]}
    return [
        {**base, "class": name},
        {**base, "class": name, "rich": True, "args": [{"$kiq": name, "value": name, "pk": name, "using": name}]},
        {**base, "rich": True, "args": [{"$kiq": name, "value": name}]},
        {**base, "rich": True, "args": [{"$kiq": "model", "value": name, "pk": 1, "using": "default"}]},
        {**base, "rich": True, "args": [{"$kiq": "model", "value": f"{name}.X", "pk": 1, "using": name}]},
        {**base, "rich": True, "args": [{"$kiq": "datetime", "value": "2026-01-01T00:00:00+00:00", "zone": name}]},
        {**base, "class": "Sidekiq::ActiveJob::Wrapper", "wrapped": name, "args": [inside]},
        {**base, "class": "Sidekiq::ActiveJob::Wrapper", "args": [{**inside, "job_class": "HardWorker"}]},
        {**base, "wrapped": name, "display_class": name},
        {**base, "error_class": name, "error_message": name, "error_backtrace": name, "retry_count": 1},
        {**base, "callback": name, "on_success": name, "middleware": name, "bid": name, "retry_in": name},
    ]


def look_at(document: dict) -> None:
    """Whatever else reads payloads."""
    raw = dump_bytes(document)
    record = JobRecord(raw, "dead", at=1.5)
    for attribute in dir(JobRecord):
        if not attribute.startswith("_") and not callable(getattr(JobRecord, attribute)):
            getattr(record, attribute)
    payload = Payload.decode(raw)
    redact_call(payload, routing.find(payload))


@pytest.mark.django_db
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_imported_or_called(name):
    with nothing_happens():
        for document in everything_named(name):
            execution.run(Payload(document), "default")
            look_at(document)


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_said_that_nobody_knows_it(name):
    outcome = execution.run(Payload({"class": name, "jid": "j", "args": ["true"]}), "default")
    assert isinstance(outcome.error, UnknownJob)


names = st.text(min_size=1) | st.lists(st.sampled_from(["os", "system", ".", ":", "a", "__", "builtins", "eval"])).map(
    "".join
).filter(bool)


@pytest.mark.django_db
@patient
@given(names)
@example("os.system")
def test_nothing_is_imported_for_any_name(name):
    with nothing_happens():
        for document in everything_named(name):
            try:
                payload = Payload.decode(json.dumps(document).encode())
            except MalformedPayload:
                continue
            execution.run(payload, "default")


def test_a_worker_imports_nothing_and_keeps_it_all(start, store, members):
    documents = [
        {**document, "jid": f"{number}-{variant}", "retry": True}
        for number, name in enumerate(ATTACKS)
        for variant, document in enumerate(everything_named(name)[:2])
    ]
    with nothing_happens():
        store.queues.push([Entry("default", dump_bytes(document)) for document in documents])
        start()
        wait_for(lambda: store.sets.count("retry") == len(documents))
        for raw in members("retry"):
            assert Payload.decode(raw).document["error_class"] == "kiq_django.exceptions.UnknownJob"
        assert len(list(api.RetrySet())) == len(documents)
