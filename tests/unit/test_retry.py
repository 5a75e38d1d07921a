import json
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import backtrace, retry
from kiq_django.exceptions import Discard, Kill
from kiq_django.options import JobOptions, RetryOn
from kiq_django.payload import Payload

NOW = 1_795_318_639.5
BASE_DELAYS = [15, 16, 31, 96, 271, 640, 1311, 2416, 4111, 6576, 10015, 14656]


class Unprintable(Exception):
    def __str__(self):
        raise SystemExit("no text")

    __repr__ = __str__


class LyingClass(type):
    def __instancecheck__(cls, instance):
        raise RuntimeError("no answer")


class Liar(Exception, metaclass=LyingClass):
    @property
    def __class__(self):
        raise RuntimeError("no class")


def fetched(**fields):
    document = {
        "retry": True,
        "queue": "own",
        "class": "a.b",
        "args": [1],
        "jid": "j",
        "created_at": 1.0,
        **fields,
    }
    return Payload.decode(Payload(document).encode())


def decide(payload=None, error=None, *, options=None, chance=0.0, **rest):
    options = options or JobOptions()
    payload, error = payload or fetched(), error or ValueError("broken")
    return retry.decide(payload, error, options, queue="fetched", now=NOW, chance=lambda: chance, **rest)


class TestDelay:
    def test_sidekiq_s_schedule(self):
        assert [retry.delay(count, lambda: 0.0) for count in range(12)] == BASE_DELAYS
        assert retry.delay(24, lambda: 0.0) == 331_791
        assert sum(retry.delay(count, lambda: 0.0) for count in range(25)) == 1_763_395

    @given(st.integers(0, 30), st.floats(0, 1, exclude_max=True))
    def test_jitter_is_whole_seconds_below_ten_for_each_try(self, count, chance):
        jitter = retry.delay(count, lambda: chance) - retry.delay(count, lambda: 0.0)
        assert jitter in range(10 * (count + 1))

    def test_stays_on_the_calendar(self):
        assert retry.delay(2**31, lambda: 0.0) == 1_000_000_000


class TestRecord:
    def test_of_the_first_failure(self):
        document = decide().payload.document
        assert document["retry_count"] == 0
        assert (document["error_class"], document["error_message"]) == ("ValueError", "broken")
        assert (document["failed_at"], document["queue"]) == (NOW, "fetched")
        assert not {"retried_at", "error_backtrace", "discarded_at"} & document.keys()

    def test_of_a_later_failure(self):
        document = decide(fetched(retry_count=3, failed_at=5.5)).payload.document
        assert (document["retry_count"], document["failed_at"], document["retried_at"]) == (4, 5.5, NOW)

    @pytest.mark.parametrize("count", [-1, -7])
    def test_after_a_retry_from_the_web_page(self, count):
        document = decide(fetched(retry_count=count, failed_at=5.5)).payload.document
        assert (document["retry_count"], document["retried_at"]) == (0, NOW)

    @pytest.mark.parametrize("failed_at", [{}, {"failed_at": "yesterday"}, {"failed_at": None}])
    def test_a_lost_time_of_the_first_failure_is_mended(self, failed_at):
        document = decide(fetched(retry_count=0, retry_for=60, **failed_at)).payload.document
        assert (document["failed_at"], document["retried_at"]) == (NOW, NOW)

    @pytest.mark.parametrize("failed_at", [1_795_318_600_000, 0.0])
    def test_the_time_of_the_first_failure_is_kept_in_any_form(self, failed_at):
        assert decide(fetched(retry_count=0, failed_at=failed_at)).payload.document["failed_at"] == failed_at

    def test_fields_of_others_are_kept(self):
        assert decide(fetched(cattr={"a": [1]}, bid="B")).payload.document["cattr"] == {"a": [1]}

    def test_what_the_job_did_to_its_arguments_is_not(self):
        payload = fetched(args=[["a"]])
        payload.args[0].append(object())
        assert Payload.decode(decide(payload).payload.encode()).args == [["a"]]

    def test_names_of_errors(self):
        class Local(Exception):
            pass

        assert decide(error=Local()).payload.document["error_class"] == f"{__name__}.{Local.__qualname__}"
        assert decide(error=SystemExit()).payload.document["error_class"] == "SystemExit"

    def test_a_message_is_cut(self):
        assert decide(error=ValueError("é" * 20_000)).payload.document["error_message"] == "é" * 10_000

    def test_a_message_is_scrubbed(self):
        error = ValueError("a\ud83d\ude00b\ud800" + "\ud800" * 20_000)
        payload = decide(error=error).payload
        assert payload.document["error_message"].startswith("a😀b\ufffd")
        payload.encode()

    def test_an_error_that_cannot_be_printed(self):
        decision = decide(error=Unprintable())
        assert decision.verdict == "retry"
        assert "no readable message; its __str__ raised SystemExit" in decision.payload.document["error_message"]

    def test_an_error_that_lies_about_its_class(self):
        options = JobOptions(discard_on=[Liar], retry_on=RetryOn(Liar))
        assert decide(error=Liar("x"), options=options).payload.document["error_message"] == "x"
        assert decide(error=Liar("x")).verdict == "retry"

    @pytest.mark.parametrize(
        ("said", "declared", "lines"),
        [(True, False, 2), (1, True, 1), (None, True, 2), (False, True, 0), ("x", 1, 1)],
    )
    def test_backtrace(self, said, declared, lines):
        def fail():
            raise ValueError

        try:
            fail()
        except ValueError as error:
            payload = decide(fetched(backtrace=said), error, options=JobOptions(backtrace=declared)).payload
        assert len(backtrace.decode(payload.document.get("error_backtrace"))) == lines

    @pytest.mark.parametrize(
        ("said", "declared", "queue"),
        [("later", "slow", "later"), (None, "slow", "slow"), (7, None, "fetched")],
    )
    def test_queue_of_the_retry(self, said, declared, queue):
        assert decide(fetched(retry_queue=said), options=JobOptions(retry_queue=declared)).payload.queue == queue


class TestCount:
    @pytest.mark.parametrize(
        ("said", "count", "verdict"),
        [
            (True, 24, "retry"),
            (True, 25, "bury"),
            ("yes", 24, "retry"),
            (3, 2, "retry"),
            (3, 3, "bury"),
            (0, 0, "bury"),
            (-1, 0, "bury"),
            (False, 0, "drop"),
        ],
    )
    def test_limits(self, said, count, verdict):
        decision = decide(fetched(retry=said, retry_count=count - 1, failed_at=1.0))
        assert decision.verdict == verdict
        assert decision.payload.retry_count == count
        assert (decision.delay > 0) is (verdict == "retry")

    def test_a_job_with_n_retries_runs_n_and_1_times(self):
        payload, runs = fetched(retry=4), 1
        while (decision := decide(payload)).verdict == "retry":
            payload, runs = Payload.decode(decision.payload.encode()), runs + 1
        assert (decision.verdict, runs, decision.payload.retry_count) == ("bury", 5, 4)

    @pytest.mark.parametrize("absent", [{}, {"retry": None}])
    @pytest.mark.parametrize(("declared", "verdict"), [(True, "retry"), (0, "bury"), (False, "drop")])
    def test_without_a_word_in_the_payload_the_declaration_counts(self, absent, declared, verdict):
        document = {"class": "a", "jid": "j", "args": [], **absent}
        assert decide(Payload(document), options=JobOptions(retry=declared)).verdict == verdict

    def test_default_number(self):
        assert decide(fetched(retry_count=1, failed_at=1.0), default_max=2).verdict == "bury"

    @pytest.mark.parametrize(
        ("said", "declared", "verdict"),
        [(False, True, "drop"), (None, False, "drop"), (True, False, "bury"), ("no", True, "bury")],
    )
    def test_no_dead_set_wanted(self, said, declared, verdict):
        assert decide(fetched(retry=0, dead=said), options=JobOptions(dead=declared)).verdict == verdict

    def test_the_delay_has_jitter(self):
        assert decide(fetched(retry_count=2, failed_at=1.0), chance=0.5).delay == 96 + 20

    def test_reasons_are_for_people(self):
        assert decide().reason == "retry 1 of 25, in 15 s"
        assert decide(fetched(retry=0)).reason == "0 retries are used up"
        assert decide(fetched(retry=False)).reason == "retry is off"


class TestRetryFor:
    @pytest.mark.parametrize(
        ("failed_at", "verdict"),
        [(NOW - 60, "retry"), (NOW - 61, "bury"), (int(NOW * 1000) - 50_000, "retry")],
    )
    def test_counts_from_the_first_failure(self, failed_at, verdict):
        assert decide(fetched(retry_for=60, retry_count=0, failed_at=failed_at)).verdict == verdict

    def test_replaces_the_number(self):
        payload = fetched(retry=1, retry_for=3600, retry_count=5, failed_at=NOW - 60)
        assert decide(payload).reason == "retry 7 within 3600 s, in 1311 s"

    def test_the_first_failure_is_always_in_time(self):
        assert decide(fetched(retry_for=0.001, retry=0)).verdict == "retry"

    def test_does_not_switch_retry_on(self):
        assert decide(fetched(retry=False, retry_for=60)).verdict == "drop"

    def test_may_be_declared(self):
        payload = fetched(retry_count=0, failed_at=NOW - 100)
        assert decide(payload, options=JobOptions(retry_for=60)).verdict == "bury"

    @pytest.mark.parametrize("said", ["60", -1, 0, None, True, 10**400, 2_000_000_000, []])
    def test_nonsense_is_no_limit(self, said):
        assert decide(fetched(retry_for=said, retry_count=3, failed_at=1.0)).reason == "retry 5 of 25, in 271 s"


class TestSteering:
    @pytest.mark.parametrize("said", [True, 0, False])
    def test_discard(self, said):
        decision = decide(fetched(retry=said), Discard("enough"))
        assert (decision.verdict, decision.payload.document["discarded_at"]) == ("discard", NOW)
        assert decision.payload.document["error_message"] == "enough"

    @pytest.mark.parametrize("said", [True, 0, False])
    def test_kill(self, said):
        decision = decide(fetched(retry=said), Kill("enough"))
        assert (decision.verdict, "discarded_at" in decision.payload.document) == ("bury", False)

    def test_kill_without_a_dead_set(self):
        assert decide(fetched(dead=False), Kill()).verdict == "drop"

    def test_discard_on(self):
        options = JobOptions(discard_on=[LookupError])
        assert decide(error=KeyError("x"), options=options).verdict == "discard"
        assert decide(error=ValueError("x"), options=options).verdict == "retry"

    def test_discard_on_comes_before_retry_on(self):
        options = JobOptions(discard_on=[KeyError], retry_on=RetryOn(KeyError))
        assert decide(error=KeyError("x"), options=options).verdict == "discard"


class TestRetryIn:
    @pytest.mark.parametrize(
        ("answer", "delay"),
        [
            (60, 65),
            (0.5, 5.5),
            (timedelta(minutes=2), 125),
            *((bad, 20) for bad in (None, 0, -1, True, "60", [], {})),
        ],
    )
    def test_seconds_and_jitter(self, answer, delay):
        assert decide(options=JobOptions(retry_in=lambda count, error: answer), chance=0.5).delay == delay

    @pytest.mark.parametrize("answer", [float("nan"), float("inf"), 10**400, timedelta.max])
    def test_unusable_seconds(self, answer):
        assert decide(options=JobOptions(retry_in=lambda count, error: answer)).delay == 15

    def test_is_told_the_count_and_the_error(self):
        told = []
        error = KeyError("x")
        decide(
            fetched(retry_count=1, failed_at=1.0),
            error,
            options=JobOptions(retry_in=lambda *of: told.append(of)),
        )
        assert told == [(2, error)]

    @pytest.mark.parametrize(
        ("answer", "verdict"),
        [
            (Discard, "discard"),
            (Discard(), "discard"),
            ("discard", "discard"),
            (Kill, "bury"),
            ("kill", "bury"),
        ],
    )
    def test_may_end_the_job(self, answer, verdict):
        assert decide(options=JobOptions(retry_in=lambda count, error: answer)).verdict == verdict

    @pytest.mark.parametrize("trouble", [ZeroDivisionError, SystemExit, KeyboardInterrupt, Unprintable, TypeError])
    def test_may_raise(self, trouble):
        def retry_in(count, error):
            raise trouble

        decision = decide(options=JobOptions(retry_in=retry_in))
        assert (decision.verdict, decision.delay) == ("retry", 15)
        assert f"retry_in raised {trouble.__name__}" in decision.reason

    def test_may_have_the_wrong_parameters(self):
        assert decide(options=JobOptions(retry_in=lambda: 1)).delay == 15

    def test_is_not_asked_when_retries_are_used_up(self):
        assert decide(fetched(retry=0), options=JobOptions(retry_in=lambda count, error: 1)).verdict == "bury"


class TestRetriesExhausted:
    def test_is_told_the_payload_with_its_error(self):
        told = []
        decision = decide(fetched(retry=0), options=JobOptions(retries_exhausted=lambda *of: told.append(of)))
        assert [(payload, type(error)) for payload, error in told] == [(decision.payload, ValueError)]
        assert told[0][0].document["error_message"] == "broken"

    def test_may_discard(self):
        options = JobOptions(retries_exhausted=lambda payload, error: Discard)
        assert decide(fetched(retry=0), options=options).verdict == "discard"

    def test_is_not_called_for_a_retry(self):
        options = JobOptions(retries_exhausted=lambda payload, error: "discard")
        assert decide(options=options).verdict == "retry"

    def test_may_raise_and_may_damage_the_payload(self):
        def retries_exhausted(payload, error):
            payload.document["args"].append(object())
            raise SystemExit

        decision = decide(fetched(retry=0), options=JobOptions(retries_exhausted=retries_exhausted))
        assert decision.verdict == "bury"
        assert Payload.decode(decision.payload.encode()).args == [1]


class TestRetryOn:
    @pytest.mark.parametrize(("count", "verdict"), [(0, "retry"), (1, "retry"), (2, "bury")])
    def test_attempts_are_runs_in_all(self, count, verdict):
        options = JobOptions(retry_on=RetryOn(KeyError, attempts=3))
        decision = decide(fetched(retry_count=count - 1, failed_at=1.0), KeyError("x"), options=options)
        assert decision.verdict == verdict

    @pytest.mark.parametrize(("wait", "delay"), [(3, 3), (0, 0), (timedelta(hours=1), 3600), (None, 20)])
    def test_wait_is_exact(self, wait, delay):
        assert decide(options=JobOptions(retry_on=RetryOn(ValueError, wait=wait)), chance=0.5).delay == delay

    @pytest.mark.parametrize(("wait", "delay"), [(lambda n: n * 10, 20), (lambda n: -1, 31), (lambda: 1, 31)])
    def test_wait_may_be_a_function_of_the_retry_number(self, wait, delay):
        options = JobOptions(retry_on=RetryOn(ValueError, wait=wait))
        assert decide(fetched(retry_count=1, failed_at=1.0), options=options).delay == delay

    def test_queue(self):
        options = JobOptions(retry_on=RetryOn(ValueError, queue="calm"), retry_queue="slow")
        assert decide(options=options).payload.queue == "calm"
        assert decide(error=KeyError(), options=options).payload.queue == "slow"

    @pytest.mark.parametrize("said", [False, 0])
    def test_counts_instead_of_retry(self, said):
        options = JobOptions(retry_on=RetryOn(ValueError))
        assert decide(fetched(retry=said), options=options).verdict == "retry"
        assert decide(fetched(retry=said), KeyError(), options=options).verdict in ("drop", "bury")

    def test_the_first_that_fits(self):
        options = JobOptions(retry_on=[RetryOn(KeyError, wait=1), RetryOn(LookupError, wait=2)])
        assert decide(error=KeyError(), options=options).delay == 1
        assert decide(error=IndexError(), options=options).delay == 2

    def test_used_up_without_a_dead_set(self):
        options = JobOptions(retry_on=RetryOn(ValueError, attempts=1), dead=False)
        assert decide(options=options).verdict == "drop"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé", max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=2),
    max_leaves=4,
)
ERRORS = (ValueError("x"), Discard(), Kill(), Unprintable(), Liar(), SystemExit(), KeyError("\ud800"))
NAMES = (
    *("retry", "retry_for", "retry_queue", "dead", "backtrace", "failed_at", "retried_at", "error_class"),
    *("error_message", "error_backtrace", "queue", "tags", "args", "wrapped", "created_at"),
)


@given(
    fields=st.dictionaries(st.sampled_from(NAMES), json_values),
    count=st.none() | st.integers(-2, 30) | st.integers(),
    answer=json_values | st.floats() | st.sampled_from([Discard, Kill, Unprintable, object()]),
    error=st.integers(0, len(ERRORS) - 1),
    seed=st.integers(),
)
def test_no_payload_and_no_hook_leaves_a_job_without_a_decision(fields, count, answer, error, seed):
    def hook(*_):
        if isinstance(answer, type) and answer is Unprintable:
            raise answer
        return answer

    payload = Payload({"class": "a", "jid": "j", **fields, **({} if count is None else {"retry_count": count})})
    rules = [RetryOn(KeyError, wait=hook)]
    options = JobOptions(retry_in=hook, retries_exhausted=hook, retry_on=rules, discard_on=[Liar], backtrace=True)
    chance = random.Random(seed).random
    decision = retry.decide(payload, ERRORS[error], options, queue="fetched", now=NOW, chance=chance)
    assert decision.verdict in ("retry", "bury", "drop", "discard")
    assert 0 <= decision.delay <= 1e9 + 10 * 2**32
    stored = Payload(json.loads(decision.payload.encode()))
    assert stored.retry_count is not None
    assert stored.failed_at is not None
