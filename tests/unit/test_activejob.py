"""What Rails writes for the arguments of an ActiveJob, 5.0 to 8.1."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User

from kiq_django import activejob
from kiq_django.activejob import GlobalID
from kiq_django.exceptions import MalformedPayload, ReferenceGone

SERIALIZERS = "ActiveJob::Serializers::"


def serialized(kind, **fields):
    return {"_aj_serialized": f"{SERIALIZERS}{kind}Serializer", **fields}


def decoded(*arguments):
    return activejob.call({"job_class": "J", "arguments": list(arguments)})


def one(argument):
    [value], named = decoded(argument)
    assert named == {}
    return value


@pytest.mark.parametrize("plain", [None, True, 1, 1.5, "text", "gid://app/User/1", [1, [2, []]]])
def test_what_json_has_comes_as_it_is(plain):
    assert one(plain) == plain


@pytest.mark.parametrize(
    "written",
    [
        {"a": 1, "_aj_symbol_keys": []},
        {"a": 1, "_aj_symbol_keys": ["a"]},
        {"a": 1, "_aj_hash_with_indifferent_access": True},
        {"a": 1},  # Rails up to 4.2
    ],
)
def test_hashes_of_every_kind_are_dicts(written):
    assert one(written) == {"a": 1}
    assert one([written]) == [{"a": 1}]


def test_hashes_are_decoded_inside():
    symbol = serialized("Symbol", value="b")
    assert one({"a": [symbol, {"c": symbol, "_aj_symbol_keys": ["c"]}], "_aj_symbol_keys": ["a"]}) == {
        "a": ["b", {"c": "b"}]
    }


def test_keywords():
    assert decoded(
        1, {"to": "eve", "at": serialized("Date", value="2026-02-03"), "_aj_ruby2_keywords": ["to", "at"]}
    ) == (
        [1],
        {"to": "eve", "at": date(2026, 2, 3)},
    )


def test_a_hash_with_symbols_at_the_end_is_an_argument_like_others():
    assert decoded(1, {"to": "eve", "_aj_symbol_keys": ["to"]}) == ([1, {"to": "eve"}], {})


def test_no_arguments():
    assert decoded() == ([], {})
    assert decoded({"_aj_ruby2_keywords": []}) == ([], {})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (serialized("Symbol", value="paid"), "paid"),
        (serialized("Date", value="2026-02-03"), date(2026, 2, 3)),
        (serialized("BigDecimal", value="0.1250e2"), Decimal("12.5")),
        (serialized("BigDecimal", value="-0.3e-1"), Decimal("-0.03")),
        (serialized("Time", value="2026-02-03T04:05:06.123456789Z"), datetime(2026, 2, 3, 4, 5, 6, 123456, UTC)),
        (serialized("DateTime", value="2026-02-03T04:05:06+00:00"), datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        (serialized("TimeWithZone", value="2026-02-03T04:05:06Z"), datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        (serialized("Duration", value=300, parts=[[serialized("Symbol", value="minutes"), 5]]), timedelta(minutes=5)),
        (serialized("Duration", value=1.5, parts=[]), timedelta(seconds=1.5)),
    ],
)
def test_values_without_a_form_in_json(written, value):
    assert one(written) == value
    assert type(one(written)) is type(value)


def test_a_time_comes_back_in_its_zone():
    written = serialized("TimeWithZone", value="2026-07-03T04:05:06.5-04:00", time_zone="America/New_York")
    moment = one(written)
    assert moment == datetime(2026, 7, 3, 8, 5, 6, 500_000, UTC)
    assert moment.tzinfo == ZoneInfo("America/New_York")


def test_a_zone_that_nobody_knows_leaves_the_offset():
    written = serialized("TimeWithZone", value="2026-07-03T04:05:06-04:00", time_zone="Mars/Olympus")
    assert one(written).utcoffset() == timedelta(hours=-4)


@pytest.mark.parametrize(
    ("uri", "read"),
    [
        ("gid://shop/Order/42", GlobalID("shop", "Order", "42")),
        ("gid://my-shop/Shop::Order/a%2Fb+c?version=2", GlobalID("my-shop", "Shop::Order", "a/b c")),
        ("gid://shop/Line/4/2", GlobalID("shop", "Line", ("4", "2"))),
    ],
)
def test_global_ids(uri, read):
    assert one({"_aj_globalid": uri}) == read
    assert hash(read) == hash(one({"_aj_globalid": uri}))


def test_a_global_id_says_what_it_was():
    assert str(GlobalID("shop", "Line", ("4", "2"))) == "gid://shop/Line/4/2"


@pytest.mark.django_db
def test_a_global_id_finds_its_row():
    user = User.objects.create(username="eve")
    assert GlobalID("shop", "User", str(user.pk)).resolve(User) == user
    with pytest.raises(ReferenceGone, match=r"gid://shop/User/0 is not among the rows of auth\.User"):
        GlobalID("shop", "User", "0").resolve(User)


@pytest.mark.parametrize(
    ("written", "trouble"),
    [
        ({"_aj_serialized": "MoneySerializer", "value": 1}, "'MoneySerializer'"),
        (serialized("Range", begin=1, end=2, exclude_end=False), "RangeSerializer"),
        ({"_aj_serialized": ["x"]}, "no counterpart"),
        (serialized("Date", value="yesterday"), "DateSerializer"),
        (serialized("Date"), "DateSerializer"),
        (serialized("Symbol", value=1), "SymbolSerializer"),
        (serialized("BigDecimal", value="x"), "BigDecimalSerializer"),
        (serialized("Duration", value="x", parts=[]), "DurationSerializer"),
        (serialized("Time", value=5), "TimeSerializer"),
        ({"_aj_globalid": "gid://shop/Order"}, "a GlobalID"),
        ({"_aj_globalid": "http://shop/Order/1"}, "a GlobalID"),
        ({"_aj_globalid": 1}, "a GlobalID"),
    ],
)
def test_what_cannot_be_read_is_named(written, trouble):
    with pytest.raises(MalformedPayload, match=trouble):
        one(written)


@pytest.mark.parametrize("arguments", [None, {}, "x"])
def test_arguments_are_a_list(arguments):
    with pytest.raises(MalformedPayload, match="must be a list"):
        activejob.call({"job_class": "J", "arguments": arguments})


@pytest.mark.parametrize("name", sorted(activejob.WRAPPERS))
def test_the_class_inside_a_wrapper(name):
    assert activejob.job_class(name, [{"job_class": "Shop::Job", "arguments": []}]) == "Shop::Job"
    for args in ([], [1], [{}], [{"job_class": 1}], [{"job_class": ""}], [{"job_class": "A"}, 2]):
        assert activejob.job_class(name, args) is None


def test_other_jobs_have_no_class_inside():
    assert activejob.job_class("HardWorker", [{"job_class": "Shop::Job", "arguments": []}]) is None
