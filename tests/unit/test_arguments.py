import inspect
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import connection, models
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import arguments, binding
from kiq_django.codec import dumps, loads
from kiq_django.exceptions import ArgumentError, MalformedPayload, ReferenceGone
from kiq_django.payload import Payload

BERLIN = ZoneInfo("Europe/Berlin")


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Size(Enum):
    BIG = "big"


class Name(str):
    __slots__ = ()


class Stamp(datetime):
    """As freezegun's or pendulum's."""


class FineStamp(datetime):
    """As pandas': equal to no plain datetime."""

    __hash__ = None

    def __eq__(self, other):
        return False


@dataclass
class Point:
    x: int


class Pair(NamedTuple):
    a: int


def there_and_back(value):
    """What a job gets that was enqueued with `value`, through real JSON."""
    args, kwargs, rich = arguments.dump([value], {"named": value})
    args, kwargs = loads(dumps([args, kwargs]))
    if rich:
        args, kwargs = arguments.load(args, kwargs)
    assert args[0] == kwargs["named"]
    return args[0]


def refusal(value, **rest):
    with pytest.raises(ArgumentError) as caught:
        arguments.dump([value], {}, **rest)
    return str(caught.value)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab$"), inner),
)
zones = (
    st.none() | st.just(UTC) | st.timezones() | st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
)
rich = (
    st.datetimes(timezones=zones, allow_imaginary=True)
    | st.dates()
    | st.timedeltas()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
)


class TestPlainValues:
    @given(st.lists(plain), st.dictionaries(st.text("ab"), plain))
    def test_pass_as_they_are(self, args, kwargs):
        assert arguments.dump(args, kwargs) == (args, kwargs, False)

    def test_are_copied(self):
        rows = [[1], {"a": [2]}]
        (ready,), _, _ = arguments.dump([rows], {})
        rows[0].append(9)
        rows[1]["a"].append(9)
        assert ready == [[1], {"a": [2]}]

    @pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 1.0, -0.0, "é\x00", [], {}, {"": None}])
    def test_edges(self, value):
        assert there_and_back(value) == value
        assert type(there_and_back(value)) is type(value)

    def test_the_deepest_value_fits_into_a_payload(self):
        value = uuid4()
        for _ in range(arguments.DEEPEST):
            value = [value]
        args, kwargs, rich = arguments.dump([value], {"a": value})
        payload = Payload.new("a", args, kwargs, queue="q", retry=True, now=1.0, rich=rich)
        assert Payload.decode(payload.encode()).args == args
        assert "nests deeper than 96 levels" in refusal([value])


class TestRichValues:
    @given(rich)
    def test_come_back_equal_and_of_the_same_type(self, value):
        back = there_and_back(value)
        assert type(back) is type(value)
        if not isinstance(value, datetime):
            assert repr(back) == repr(value)
            return
        assert back.isoformat() == value.isoformat()
        assert back.fold == value.fold
        assert str(back.tzinfo) == str(value.tzinfo) or not isinstance(value.tzinfo, ZoneInfo)

    @given(st.recursive(rich, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner)))
    def test_may_lie_anywhere(self, value):
        there_and_back(value)

    @pytest.mark.parametrize(
        "value",
        [
            datetime(2026, 7, 1, 12, 30, 15, 999999, tzinfo=BERLIN),
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
            datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),
            datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN, fold=1),
        ],
    )
    def test_a_zone_stays_the_zone_also_when_the_clocks_change(self, value):
        back = there_and_back(value)
        assert back == value
        assert (back.tzinfo, back.fold, back.utcoffset()) == (BERLIN, value.fold, value.utcoffset())

    def test_the_instant_counts_when_the_rules_of_a_zone_changed(self):
        written = {"$kiq": "datetime", "value": "2026-07-01T12:00:00+05:00", "zone": "Europe/Berlin"}
        (back,), _ = arguments.load([written], {})
        assert back == datetime(2026, 7, 1, 7, tzinfo=UTC)
        assert back.tzinfo == BERLIN

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", ""])
    def test_an_unknown_zone_leaves_the_offset(self, zone):
        written = {"$kiq": "datetime", "value": "2026-07-01T12:00:00+02:00", "zone": zone}
        (back,), _ = arguments.load([written], {})
        assert back.isoformat() == written["value"]

    @pytest.mark.parametrize("value", ["0.10", "1E+2", "-0", "1E-400", "12345678901234567890.123456789"])
    def test_a_decimal_keeps_its_digits(self, value):
        assert str(there_and_back(Decimal(value))) == value

    def test_the_longest_timedelta(self):
        assert there_and_back(timedelta.max) == timedelta.max
        assert there_and_back(timedelta.min) == timedelta.min

    def test_a_subclass_comes_back_plain(self):
        stamp = Stamp(2026, 1, 1, tzinfo=UTC)
        assert there_and_back(stamp) == stamp
        assert type(there_and_back(stamp)) is datetime

    def test_a_subclass_that_is_more_is_refused(self):
        assert "pass a datetime.datetime" in refusal(FineStamp(2026, 1, 1))

    @pytest.mark.parametrize("value", ["NaN", "sNaN", "-Infinity"])
    def test_a_decimal_without_a_value_is_refused(self, value):
        assert f"is Decimal('{value}')" in refusal(Decimal(value))


class TestRefusals:
    @pytest.mark.parametrize(
        ("value", "trouble", "remedy"),
        [
            ((1, 2), "is a tuple", "pass list(order)"),
            (Pair(1), f"is a {__name__}.Pair", "pass list(order)"),
            ({1}, "is a set", "pass list(order)"),
            (frozenset(), "is a frozenset", "pass list(order)"),
            (OrderedDict(), "is a collections.OrderedDict", "pass dict(order)"),
            (b"x", "is a bytes", "pass base64.b64encode(order).decode()"),
            (bytearray(), "is a bytearray", "pass base64.b64encode(order).decode()"),
            (Colour.RED, f"is a {__name__}.Colour", "pass order.value"),
            (Level.LOW, f"is a {__name__}.Level", "pass order.value"),
            (Size.BIG, f"is a {__name__}.Size", "pass order.value"),
            (Name("x"), f"is a {__name__}.Name", "pass order + ''"),
            (mark_safe("x"), "is a django.utils.safestring.SafeString", "pass order + ''"),
            (gettext_lazy("x"), "__proxy__", "pass str(order)"),
            (float("nan"), "is nan", "pass None"),
            (-float("inf"), "is -inf", "pass None"),
            (2**64, "is an integer outside 64 bits", "pass str(order)"),
            (-(2**63) - 1, "is an integer outside 64 bits", "pass str(order)"),
            ("a\ud800", "half a character", "errors='replace'"),
            (time(1, 2), "is a datetime.time", "pass order.isoformat()"),
            (Path("/x"), "Path", "pass str(order)"),
            (Point(1), f"is a {__name__}.Point", "pass dataclasses.asdict(order)"),
            (Point, "is a type", "pass its name"),
            (print, "is a builtin_function_or_method", "pass its name"),
            (iter([1]), "is a list_iterator", "pass list(order)"),
            (1j, "is a complex", "pass plain values"),
            (object(), "is an object", "pass plain values"),
            (User.objects, "Manager", "pass list(order.values_list('pk', flat=True))"),
            (User.objects.none(), "QuerySet", "pass list(order.values_list('pk', flat=True))"),
            (AnonymousUser(), "is a django.contrib.auth.models.AnonymousUser", "pass order.pk"),
            (User(), "is a auth.User that is not saved", "save order first"),
            (User(pk=7), "is a auth.User that is not saved", "save order first"),
            ({1: 2}, "has the key 1, which is no plain text", "use keys of type str"),
            ({Name("a"): 2}, "has the key 'a', which is no plain text", "use keys of type str"),
            ({"$kiq": 2}, "has the key '$kiq', which is ours", "use another key"),
            ({"\udc80": 2}, "half a character", "use another key"),
        ],
    )
    def test_name_the_argument_the_trouble_and_the_remedy(self, value, trouble, remedy):
        text = refusal(value, names=["order"])
        assert text.startswith("argument 'order' ")
        assert trouble in text
        assert text.partition("; ")[2].startswith(remedy) or remedy in text

    def test_name_the_place_inside(self):
        rows = [{}, {"when": [1, (2,)]}]
        text = "argument 'rows'[1]['when'][1] is a tuple, which a payload cannot hold; pass list(value)"
        assert refusal(rows, names=["rows"]) == text

    def test_name_arguments_by_name_and_by_position(self):
        with pytest.raises(ArgumentError, match=r"^argument 'locale' is a bytes.*b64encode\(locale\)"):
            arguments.dump([1], {"a": 1, "locale": b"de"})
        with pytest.raises(ArgumentError, match=r"^argument 2 is a tuple.*list\(value\)"):
            arguments.dump([1, ()], {}, names=["only"])

    def test_a_list_that_holds_itself(self):
        ring = []
        ring.append({"again": ring})
        assert "holds itself" in refusal(ring)

    def test_is_a_type_error(self):
        assert issubclass(ArgumentError, TypeError)


@pytest.mark.django_db
class TestModels:
    def test_a_row_travels_by_reference(self):
        user = User.objects.create(username="ann")
        args, _, rich = arguments.dump([user], {})
        assert args == [{"$kiq": "model", "value": "auth.User", "pk": user.pk, "using": "default"}]
        assert rich
        assert there_and_back(user) == user
        assert there_and_back([{"who": user}]) == [{"who": user}]

    def test_the_job_reads_the_row_as_it_is_then(self):
        user = User.objects.create(username="ann")
        args, kwargs, _ = arguments.dump([user], {})
        User.objects.update(username="bob")
        (loaded,), _ = arguments.load(args, kwargs)
        assert loaded.username == "bob"

    def test_a_lazy_row_is_a_row(self):
        user = User.objects.create(username="ann")
        assert there_and_back(SimpleLazyObject(lambda: user)) == user

    def test_a_row_that_is_gone(self):
        group = Group.objects.create(name="staff")
        args, kwargs, _ = arguments.dump([group], {})
        pk = group.pk
        group.delete()
        with pytest.raises(
            ReferenceGone, match=rf"^auth\.Group with primary key {pk} is not in the database 'default'"
        ):
            arguments.load(args, kwargs)
        assert "not saved" in refusal(group)

    def test_a_manager_that_hides_rows_does_not_matter(self):
        class Hidden(models.Manager):
            def get_queryset(self):
                return super().get_queryset().none()

        class Visitor(User):
            objects = Hidden()

            class Meta:
                proxy = True
                app_label = "auth"

        Visitor.objects.model.__base__.objects.create(username="ann")
        visitor = Visitor._base_manager.get()
        assert there_and_back(visitor) == visitor
        assert type(there_and_back(visitor)) is Visitor

    def test_keys_that_json_lacks(self):
        class Ticket(models.Model):  # noqa: DJ008
            code = models.UUIDField(primary_key=True, default=uuid4)

            class Meta:
                app_label = "auth"
                managed = False
                db_table = "kiq_ticket"

        class Seat(models.Model):  # noqa: DJ008
            pk = models.CompositePrimaryKey("row", "day")
            row = models.IntegerField()
            day = models.DateField()

            class Meta:
                app_label = "auth"
                managed = False
                db_table = "kiq_seat"

        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kiq_ticket (code char(32) PRIMARY KEY)")
            cursor.execute("CREATE TABLE kiq_seat (row integer, day date)")
        ticket = Ticket.objects.create()
        assert there_and_back(ticket).code == ticket.code
        assert "not saved" in refusal(Ticket())
        assert there_and_back(Seat.objects.create(row=3, day=date(2026, 1, 2))).day == date(2026, 1, 2)

    def test_a_model_that_is_not_installed(self):
        with pytest.raises(LookupError) as caught:
            arguments.load([{"$kiq": "model", "value": "shop.Order", "pk": 1, "using": "default"}], {})
        assert not isinstance(caught.value, ReferenceGone)


class TestDamage:
    @pytest.mark.parametrize("kind", ["unknown", None, [], 1, {}])
    def test_an_unknown_kind(self, kind):
        with pytest.raises(MalformedPayload, match="unknown kind"):
            arguments.load([{"$kiq": kind, "value": 1}], {})

    @pytest.mark.parametrize("kind", ["datetime", "date", "timedelta", "decimal", "uuid"])
    @pytest.mark.parametrize("value", [None, "x", 1, [], [1, 2], ["a", "b", "c"], [10**30, 0, 0], {}, "9" * 100_000])
    def test_a_value_of_the_wrong_form(self, kind, value):
        if kind == "decimal" and value in (1, "9" * 100_000):
            return
        with pytest.raises(MalformedPayload, match=f"is no {kind}"):
            arguments.load([{"$kiq": kind, "value": value}], {})

    @pytest.mark.parametrize("rest", [{}, {"fold": 7}, {"fold": "x"}, {"zone": []}, {"zone": 7}])
    def test_a_damaged_datetime(self, rest):
        value = {"value": "2026-01-01T00:00:00"} if rest else {}
        with pytest.raises(MalformedPayload, match="is no datetime"):
            arguments.load([{"$kiq": "datetime", **value, **rest}], {})

    @pytest.mark.parametrize("label", [None, "User", "a.b.c", 7])
    def test_a_damaged_reference(self, label):
        with pytest.raises(MalformedPayload, match="no model reference"):
            arguments.load([{"$kiq": "model", "value": label, "pk": 1}], {})


def signature(function):
    return inspect.signature(function)


class TestBind:
    @pytest.mark.parametrize(
        ("function", "args", "kwargs"),
        [
            (lambda order_id, locale="en": 0, (1,), {}),
            (lambda order_id, locale="en": 0, (), {"order_id": 1, "locale": "de"}),
            (lambda *args, **kwargs: 0, (1, 2, 3), {"a": 1}),
            (lambda a, /, **rest: 0, (1,), {"a": 2}),
            (lambda *, a: 0, (), {"a": 1}),
            (lambda: 0, (), {}),
        ],
    )
    def test_calls_that_work(self, function, args, kwargs):
        binding.bind(signature(function), "send", args, kwargs)

    @pytest.mark.parametrize(
        ("function", "args", "kwargs", "text"),
        [
            (lambda order_id: 0, (1, 2, 3), {}, "takes 1 argument (order_id) but 3 were given"),
            (lambda a, b="en": 0, (1, 2, 3), {}, "takes at most 2 arguments (a, b) but 3 were given"),
            (lambda: 0, (1,), {}, "takes no arguments by position but 1 was given"),
            (lambda *, a: 0, (1,), {}, "takes no arguments by position but 1 was given"),
            (lambda order_id: 0, (), {}, "is missing argument 'order_id'"),
            (lambda a, b, c, *, d, e=1: 0, (1,), {"b": 2}, "is missing 2 arguments ('c', 'd')"),
            (lambda a, /: 0, (), {}, "is missing argument 'a'"),
            (
                lambda a, locale="en": 0,
                (1,),
                {"local": "de"},
                "has no argument 'local' (did you mean 'locale'?)",
            ),
            (lambda a: 0, (1,), {"x": 1, "y": 2}, "has no 2 arguments ('x', 'y')"),
            (lambda a, b=1: 0, (1,), {"a": 2}, "got argument 'a' twice, by position and by name"),
            (lambda a, /: 0, (), {"a": 2}, "takes argument 'a' by position only"),
            (lambda a, *rest, **more: 0, (), {"b": 1}, "is missing argument 'a'"),
            (lambda a, **more: 0, (1, 2), {"b": 1}, "takes 1 argument (a) but 2 were given"),
        ],
    )
    def test_calls_that_do_not(self, function, args, kwargs, text):
        with pytest.raises(TypeError) as caught:
            binding.bind(signature(function), "send_receipt", args, kwargs)
        assert str(caught.value) == f"send_receipt() {text}; the job was not enqueued"
        with pytest.raises(TypeError):
            function(*args, **kwargs)

    def test_a_uuid_is_only_a_value(self):
        binding.bind(signature(lambda a: 0), "f", (UUID(int=1),), {})
