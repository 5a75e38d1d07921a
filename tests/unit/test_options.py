from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest

from kiq_django.exceptions import ConfigurationError
from kiq_django.options import JobOptions, RetryOn


def test_defaults():
    options = JobOptions()
    assert (options.queue, options.retry, options.dead, options.on_commit) == ("default", True, True, True)
    assert (options.tags, options.retry_on, options.discard_on, dict(options.extra)) == ((), (), (), {})
    assert hash(options) == hash(JobOptions())


def test_is_frozen_and_replaceable():
    options = JobOptions(retry=3)
    with pytest.raises(FrozenInstanceError):
        options.retry = 4
    assert replace(options, queue="low") == JobOptions(retry=3, queue="low")


def test_lists_and_single_values_become_tuples():
    rule = RetryOn(KeyError)
    options = JobOptions(tags=["a", "b"], retry_on=rule, discard_on=[ValueError, OSError])
    assert (options.tags, options.retry_on, options.discard_on) == (
        ("a", "b"),
        (rule,),
        (ValueError, OSError),
    )
    assert JobOptions(discard_on=ValueError).discard_on == (ValueError,)


@pytest.mark.parametrize(
    ("option", "values"),
    {
        "queue": ["", None, 7],
        "retry": [-1, "5", 1.5, None],
        "retry_for": [0, -1, 1_795_318_639, "60", True, float("nan")],
        "retry_queue": ["", 7],
        "dead": [None, 1],
        "backtrace": [-1, "all"],
        "tags": ["billing", [1], [""], {"a"}],
        "timeout": [0, -1, "1", float("inf")],
        "on_commit": [1],
        "retry_in": [60],
        "retry_on": [[KeyError], "x", 7],
        "discard_on": [["KeyError"], 7],
        "retries_exhausted": ["hook"],
        "extra": [[]],
    }.items(),
)
def test_what_is_not_usable_is_named(option, values):
    for value in values:
        with pytest.raises(ConfigurationError, match=f"'{option}' must be .*, not "):
            JobOptions(**{option: value})


class TestRetryOn:
    def test_defaults(self):
        rule = RetryOn(KeyError, ValueError)
        assert (rule.exceptions, rule.wait, rule.attempts, rule.queue) == (
            (KeyError, ValueError),
            None,
            5,
            None,
        )

    @pytest.mark.parametrize("wait", [0, 1.5, timedelta(minutes=1), lambda count: count])
    def test_waits(self, wait):
        assert RetryOn(KeyError, wait=wait).wait == wait

    def test_is_a_frozen_value(self):
        rule = RetryOn(KeyError, wait=3)
        assert rule == RetryOn(KeyError, wait=3)
        with pytest.raises(FrozenInstanceError):
            rule.wait = 4

    @pytest.mark.parametrize(
        ("exceptions", "rest"),
        [
            ((), {}),
            (("KeyError",), {}),
            ((KeyError(),), {}),
            ((KeyError,), {"wait": -1}),
            ((KeyError,), {"wait": "3"}),
            ((KeyError,), {"wait": True}),
            ((KeyError,), {"attempts": 0}),
            ((KeyError,), {"attempts": True}),
            ((KeyError,), {"attempts": 2.5}),
            ((KeyError,), {"queue": ""}),
        ],
    )
    def test_what_is_not_usable(self, exceptions, rest):
        with pytest.raises(ConfigurationError, match="retry_on"):
            RetryOn(*exceptions, **rest)
