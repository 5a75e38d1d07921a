"""Tasks that were written for Celery, run by us."""

from datetime import timedelta

import pytest
from django.utils import timezone

from kiq_django import clock, execution, registry, retry
from kiq_django.contrib.celery import (
    Ignore,
    MaxRetriesExceededError,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
    shared_task,
)
from kiq_django.exceptions import ConfigurationError, JobTimeout, ResultNotKept, Unsupported
from kiq_django.payload import Payload
from kiq_django.testing import drain, enqueued

seen = []


@pytest.fixture(autouse=True)
def _own_tasks(monkeypatch):
    seen.clear()
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))


def declare(function, **options):
    return shared_task(name=f"moving.{function.__name__}", **options)(function)


def run(task, *args, retries=None, **kwargs):
    """One run as a worker makes it, and what is decided about it."""
    fields = {} if retries is None else {"retry_count": retries - 1}
    payload = Payload.new(task.name, args, kwargs, queue="default", retry=0, now=clock.now(), **fields)
    outcome = execution.run(payload, "default")
    if outcome.error is None:
        return outcome, None
    options = task.definition.options
    return outcome, retry.decide(payload, outcome.error, options, queue="default", now=clock.now(), chance=lambda: 0.5)


# --- calls ---


def test_delay_and_a_plain_call():
    @shared_task(name="moving.add")
    def add(x, y):
        return x + y

    sent = add.delay(1, y=2)
    assert add(1, 2) == 3
    assert add.apply([1], {"y": 2}) == 3
    (waiting,) = enqueued()
    assert (waiting.jid, waiting.name, waiting.args, waiting.kwargs) == (sent.id, "moving.add", [1], {"y": 2})
    assert sent.task_id == sent.id
    assert [outcome.result for outcome in drain()] == [3]


def test_a_task_without_options_has_celerys_name():
    def helper(): ...

    helper.__qualname__ = "helper"
    assert shared_task(helper).name == f"{__name__}.helper"


def test_apply_async():
    def note(x): ...

    task = declare(note, queue="mail")
    now = clock.now()
    task.apply_async((1,), countdown=60, expires=120)
    task.apply_async(args=[1], eta=timezone.now() + timedelta(hours=1), queue="low")
    task.apply_async(kwargs={"x": 1}, expires=timezone.now() + timedelta(seconds=30))
    task.apply_async([1], link=None, ignore_result=True, retry=False)
    task.apply_async_on_commit([1])
    told = [(p.queue, p.at and round(p.at - now), p.expires_at and round(p.expires_at - now)) for p in enqueued()]
    assert told == [
        ("mail", 60, 120),
        ("low", 3600, None),
        ("mail", None, 30),
        ("mail", None, None),
        ("mail", None, None),
    ]


@pytest.mark.parametrize("option", ["link", "priority", "task_id", "headers", "time_limit"])
def test_what_apply_async_refuses(option):
    task = shared_task(name="moving.none")(_nothing)
    with pytest.raises(Unsupported, match=rf"apply_async\({option}=\.\.\.\) has no counterpart here: \w"):
        task.apply_async(**{option: 1})
    assert enqueued() == []


def _nothing(): ...


def test_what_apply_async_does_not_know():
    task = shared_task(name="moving.none")(_nothing)
    with pytest.raises(TypeError, match=r"'countdwn'\. Did you mean 'countdown'"):
        task.apply_async(countdwn=1)
    with pytest.raises(TypeError, match="takes no argument"):
        task.apply_async([1])


def test_results_and_canvas_say_what_to_do():
    task = shared_task(name="moving.none")(_nothing)
    for name in ("ready", "status"):
        with pytest.raises(
            Unsupported, match=rf"\.{name} of a task that was sent has no counterpart here: say result="
        ):
            getattr(task.delay(), name)
    with pytest.raises(ResultNotKept):
        task.delay().get()
    for name in ("s", "si", "chunks", "AsyncResult"):
        with pytest.raises(Unsupported, match=rf"moving\.none\.{name} has no counterpart"):
            getattr(task, name)
    with pytest.raises(AttributeError):
        task.nonsense  # noqa: B018
    with pytest.raises(AttributeError):
        task.delay().nonsense  # noqa: B018


def test_a_result():
    def add(x, y):
        return x + y

    sent = declare(add, result=60).delay(1, 2)
    drain()
    assert sent.get(timeout=1) == sent.wait(1) == 3


def test_options_that_are_refused():
    with pytest.raises(ConfigurationError, match=r"Task moving\.none: rate_limit has no counterpart here: give"):
        shared_task(name="moving.none", rate_limit="1/s")(_nothing)
    with pytest.raises(ConfigurationError, match=r"unknown option 'max_retry'\. Did you mean 'max_retries'"):
        shared_task(name="moving.none", max_retry=1)(_nothing)
    with pytest.raises(ConfigurationError, match="'pickle': arguments are always JSON"):
        shared_task(name="moving.none", serializer="pickle")(_nothing)
    assert registry.find("moving.none") is None


def test_options_that_may_stay_or_are_ours():
    task = shared_task(name="moving.none", acks_late=True, ignore_result=True, soft_time_limit=3, expires=60)(_nothing)
    options = task.definition.options
    assert (options.timeout, options.expires_in, options.retry) == (3, 60, 0)
    assert SoftTimeLimitExceeded is JobTimeout
    task.delay()
    assert enqueued()[0].expires_at == pytest.approx(clock.now() + 60, abs=5)


# --- self ---


def test_bind():
    def see(self, x):
        request = self.request
        seen.append((request.id, request.retries, request.args, request.called_directly, self.name))

    task = declare(see, bind=True)
    task(1)
    sent = task.delay(1)
    drain()
    run(task, 1, retries=2)
    assert seen[0] == (None, 0, (), True, "moving.see")
    assert seen[1] == (sent.id, 0, [1], False, "moving.see")
    assert seen[2][1] == 2


def test_a_task_that_another_calls_as_a_function():
    def inner(self):
        seen.append(self.request.called_directly)

    bound = declare(inner, bind=True)

    def outer():
        bound()

    declare(outer).delay()
    drain()
    assert seen == [True]


async def test_an_async_task():
    async def meet(self, x):
        seen.append((self.request.retries, x))

    task = declare(meet, bind=True)
    payload = Payload.new(task.name, [7], {}, queue="default", retry=0, now=1.0)
    assert (await execution.arun(payload, "default")).error is None
    assert seen == [(0, 7)]


# --- retries ---


def charge(self, order_id, **options):
    try:
        raise ConnectionError("the bank is away")
    except ConnectionError as error:
        raise self.retry(exc=error, **options) from error


def test_retry_comes_after_exactly_that_time():
    task = declare(charge, bind=True)
    outcome, decision = run(task, 1, countdown=60)
    assert isinstance(outcome.error, Retry)
    assert isinstance(outcome.error.__cause__, ConnectionError)
    assert (decision.verdict, decision.delay) == ("retry", 60)
    assert "ConnectionError('the bank is away')" in str(outcome.error)
    assert run(task, 1)[1].delay == 180
    assert run(declare(charge, bind=True, default_retry_delay=7), 1)[1].delay == 7


def test_retry_at_a_moment():
    def again(self):
        self.retry(eta=timezone.now() + timedelta(minutes=5))

    assert run(declare(again, bind=True))[1].delay == pytest.approx(300, abs=5)


def test_retries_are_counted():
    task = declare(charge, bind=True)
    assert run(task, 1, retries=2)[1].verdict == "retry"
    outcome, decision = run(task, 1, retries=3)
    assert isinstance(outcome.error, ConnectionError)
    assert decision.verdict == "bury"
    assert run(task, 1, retries=3, max_retries=9)[1].verdict == "retry"
    unlimited = declare(charge, bind=True, max_retries=None)
    assert run(unlimited, 1, retries=1000)[1].verdict == "retry"


def test_without_an_error_it_is_max_retries_exceeded():
    def again(self):
        self.retry(countdown=1)

    task = declare(again, bind=True, max_retries=1)
    assert run(task)[1].verdict == "retry"
    assert isinstance(run(task, retries=1)[0].error, MaxRetriesExceededError)


def test_called_as_a_function_retry_raises_the_error():
    with pytest.raises(ConnectionError):
        declare(charge, bind=True)(1)


def test_what_retry_refuses():
    for options in ({"args": [2]}, {"throw": False}, {"queue": "low"}):

        def again(self, number, options=options):
            self.retry(**options)

        outcome, _ = run(declare(again, bind=True), 1)
        assert isinstance(outcome.error, Unsupported), options


def test_a_failure_without_retry_is_dead():
    def fail():
        raise ValueError

    assert run(declare(fail))[1].verdict == "bury"


def test_autoretry():
    def fetch(error):
        raise {"os": OSError, "value": ValueError, "missing": FileNotFoundError}[error]("x")

    task = declare(
        fetch,
        autoretry_for=(OSError,),
        dont_autoretry_for=(FileNotFoundError,),
        retry_kwargs={"max_retries": 2},
        retry_backoff=3,
        retry_backoff_max=10,
        retry_jitter=False,
    )
    assert [run(task, "os", retries=number)[1].delay for number in (0, 1)] == [3, 6]
    outcome, decision = run(task, "os", retries=2)
    assert isinstance(outcome.error, OSError)
    assert decision.verdict == "bury"
    assert run(task, "value")[1].verdict == "bury"
    assert run(task, "missing")[1].verdict == "bury"


def test_autoretry_with_backoff_has_jitter():
    def fetch():
        raise OSError

    task = declare(fetch, autoretry_for=(Exception,), retry_backoff=True, max_retries=None)
    delays = {run(task, retries=20)[1].delay for _ in range(20)}
    assert max(delays) <= 600
    assert len(delays) > 1


def test_autoretry_of_an_async_task():
    async def fetch():
        raise OSError

    assert run(declare(fetch, autoretry_for=(OSError,)))[1].delay == 180


def test_ignore_and_reject():
    def leave(error):
        raise {"ignore": Ignore, "reject": Reject}[error]("no")

    task = declare(leave, autoretry_for=(Exception,))
    assert [run(task, error)[1].verdict for error in ("ignore", "reject")] == ["discard", "discard"]
    with pytest.raises(Unsupported, match="requeue=True"):
        Reject("no", requeue=True)
