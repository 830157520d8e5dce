"""A table of types: each has a schema that its values fit, and is read back from JSON."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface
from pathlib import Path, PurePosixPath
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    LiteralString,
    NamedTuple,
    NewType,
    NotRequired,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
)
from uuid import UUID

import attrs
import pytest
from typing_extensions import TypeAliasType

from direct_anyio import (
    ModelResponse,
    OutputObjectDefinition,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    UnexpectedModelBehavior,
    UserError,
)
from direct_anyio._core.sample import sample_of

T = TypeVar("T")
Name = NewType("Name", str)
Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | float | bool | None")
Nested = TypeAliasType("Nested", "T | list[Nested[T]]", type_params=(T,))
Twice = TypeAliasType("Twice", tuple[T, T], type_params=(T,))
Count = TypeAliasType("Count", Annotated[int, "How many"])


@attrs.frozen
class Bound:
    """Like `annotated_types`: any object with such an attribute tells a limit."""

    gt: Any = None
    ge: Any = None
    lt: Any = None
    le: Any = None
    multiple_of: Any = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Pair(NamedTuple, Generic[T]):
    first: T
    second: int = 0


@dataclass
class Node:
    value: int
    next: Self | None = None


@attrs.frozen
class Linked:
    others: list[Linked] = attrs.field(factory=list)


@dataclass
class Seeded:
    kind: ClassVar[str] = "seeded"
    seed: InitVar[int]
    name: Final[str] = "x"
    total: int = field(init=False)

    def __post_init__(self, seed: int) -> None:
        self.total = seed * 2


class Movie(TypedDict, Generic[T]):
    rating: T
    tags: NotRequired[list[str]]


class Partly(TypedDict):
    rating: int
    tags: NotRequired[list[str]]


@dataclass
class Tagged:
    n: int
    kind: Literal["tagged"] = "tagged"


@dataclass
class Reading:
    when: datetime | date
    amount: float | int


@dataclass
class Car:
    make: str
    wheels: Annotated[int, Bound(ge=1, le=8)] = 4


ID = UUID("12345678123456781234567812345678")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

# The type, the JSON that a model writes, and its value.
ROWS: list[tuple[Any, Any, Any]] = [
    (str, "x", "x"),
    (LiteralString, "x", "x"),
    (int, 3, 3),
    (float, 3.5, 3.5),
    (bool, True, True),
    (None, None, None),
    (object, [1], [1]),
    (Any, {"a": 1}, {"a": 1}),
    (Decimal, 1.25, Decimal("1.25")),
    (Decimal, "1.250000000000000000001", Decimal("1.250000000000000000001")),
    (date, "2026-01-02", date(2026, 1, 2)),
    (datetime, "2026-01-02T12:00:00Z", NOON),
    (time, "12:30:00", time(12, 30)),
    (timedelta, "P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
    (timedelta, "-PT5M", timedelta(minutes=-5)),
    (timedelta, "P2W", timedelta(weeks=2)),
    (timedelta, "P1Y2DT1H", timedelta(days=367, hours=1)),
    (UUID, str(ID), ID),
    (bytes, "AP_-", b"\x00\xff\xfe"),
    (bytes, "eA", b"x"),
    (bytes, "AP/+", b"\x00\xff\xfe"),
    (bytearray, "eA==", bytearray(b"x")),
    (Path, "/tmp/x", Path("/tmp/x")),
    (PurePosixPath, "a/b", PurePosixPath("a/b")),
    (IPv4Address, "127.0.0.1", IPv4Address("127.0.0.1")),
    (IPv6Address, "::1", IPv6Address("::1")),
    (IPv4Network, "10.0.0.0/8", IPv4Network("10.0.0.0/8")),
    (IPv6Interface, "::1/64", IPv6Interface("::1/64")),
    (re.Pattern, "a+", re.compile("a+")),
    (re.Pattern[str], "a+", re.compile("a+")),
    (Color, "red", Color.RED),
    (Level, 1, Level.LOW),
    (Word, "yes", Word.YES),
    (Literal["a", 1, None], 1, 1),
    (Name, "x", "x"),
    (Annotated[str, "A name"], "x", "x"),
    (list[int], [1, 2], [1, 2]),
    (Sequence[date], ["2026-01-02"], [date(2026, 1, 2)]),
    (set[int], [1, 2], {1, 2}),
    (frozenset[str], ["a"], frozenset("a")),
    (collections.deque[int], [1], collections.deque([1])),
    (tuple[int, str], [1, "x"], (1, "x")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (tuple[()], [], ()),
    (tuple, [1, "x"], (1, "x")),
    (tuple[int, *tuple[str, ...]], [1, "a", "b"], (1, "a", "b")),
    (tuple[int, *tuple[str, ...], bool], [1, "a", True], (1, "a", True)),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[int, str], {"1": "a", "-2": "b"}, {1: "a", -2: "b"}),
    (dict[float, int], {"1.5": 1}, {1.5: 1}),
    (dict[bool, int], {"true": 1}, {True: 1}),
    (dict[int | str, int], {"1": 1, "a": 2}, {1: 1, "a": 2}),
    (dict[Literal["a", "b"], int], {"a": 1}, {"a": 1}),
    (dict[Color, int], {"red": 1}, {Color.RED: 1}),
    (dict[Level, int], {"1": 1}, {Level.LOW: 1}),
    (dict[UUID, int], {str(ID): 1}, {ID: 1}),
    (dict[date, int], {"2026-01-02": 1}, {date(2026, 1, 2): 1}),
    (Mapping[Path, int], {"/a": 1}, {Path("/a"): 1}),
    (collections.OrderedDict[str, int], {"a": 1}, collections.OrderedDict(a=1)),
    (collections.defaultdict[str, list[int]], {"a": [1]},
     collections.defaultdict(list, {"a": [1]})),
    (collections.Counter[str], {"a": 2}, collections.Counter("aa")),
    (datetime | date, "2026-01-02", date(2026, 1, 2)),
    (datetime | date, "2026-01-02T12:00:00Z", NOON),
    (list[datetime] | list[date], ["2026-01-02"], [date(2026, 1, 2)]),
    (float | int, 1, 1),
    (float | int, 1.0, 1.0),
    (int | float, 1.0, 1.0),
    (dict[str, float | int | None], {"a": 1, "b": 1.0, "c": None}, {"a": 1, "b": 1.0, "c": None}),
    (timedelta | str, "PT1H", timedelta(hours=1)),
    (Reading, {"when": "2026-01-02", "amount": 2}, Reading(date(2026, 1, 2), 2)),
    (Pair[str], {"first": "a", "second": 1}, Pair("a", 1)),
    (Pair[str], ["a", 1], Pair("a", 1)),
    (Pair[Pair[int]], {"first": {"first": 1}}, Pair(Pair(1))),
    (Node, {"value": 1, "next": {"value": 2}}, Node(1, Node(2))),
    (Linked, {"others": [{"others": []}]}, Linked([Linked()])),
    (Seeded, {"seed": 2}, Seeded(seed=2)),
    (Movie[float], {"rating": 1.5}, {"rating": 1.5}),
    (Car, {"make": "Saab", "wheels": 3}, Car("Saab", 3)),
    (Json, {"a": [1.5, {"b": None}]}, {"a": [1.5, {"b": None}]}),
    (Nested[int], [1, [2, [3]]], [1, [2, [3]]]),
    (list[Nested[str]], ["a", ["b"]], ["a", ["b"]]),
    (Twice[Color], ["red", "blue"], (Color.RED, Color.BLUE)),
    (Count, 3, 3),
    (Annotated[int, Bound(gt=0, lt=10, multiple_of=2)], 4, 4),
    (Annotated[float, Bound(multiple_of=0.1)], 0.3, 0.3),
    (Annotated[list[int], Bound(min_length=1, max_length=2)], [1], [1]),
    (Annotated[dict[str, int], Bound(min_length=1)], {"a": 1}, {"a": 1}),
    (Annotated[str, Bound(pattern="^[a-z]+$", max_length=3)], "abc", "abc"),
    (Annotated[date, Bound(ge=date(2026, 1, 1))], "2026-01-02", date(2026, 1, 2)),
    (Annotated[int | None, Bound(gt=0)], None, None),
]  # fmt: skip


def answer_with(document: Any) -> ModelResponse:
    return ModelResponse([TextPart(json.dumps(document))])


@pytest.mark.parametrize(
    ("kind", "document", "value"), ROWS, ids=[f"{n} {row[0]}" for n, row in enumerate(ROWS)]
)
def test_a_type_is_read_back(kind: Any, document: Any, value: Any) -> None:
    """What fits the schema of a type is read as a value of the type."""
    schema = OutputObjectDefinition.from_type(kind).json_schema
    assert schema["type"] == "object"
    read = answer_with(document).output(kind)
    assert read == value
    assert type(read) is type(value)
    if isinstance(value, Mapping):
        assert list(map(type, read)) == list(map(type, value))
        assert list(map(type, read.values())) == list(map(type, value.values()))


# What no value can be made for from the schema alone.
UNSAMPLED = (tuple[int, *tuple[str, ...], bool], Annotated[date, Bound(ge=date(2026, 1, 1))])


@pytest.mark.parametrize("seed", range(2))
def test_values_of_test_models_fit(seed: int) -> None:
    """A value that is made from a schema is read as its type, a recursive one too."""
    for kind, _, _ in ROWS:
        if kind not in UNSAMPLED:
            answer_with(sample_of(OutputObjectDefinition.from_type(kind).json_schema, seed)).output(
                kind
            )


def test_a_type_without_an_end_has_no_value() -> None:
    """A class that needs one of its own is a mistake that is told."""

    @dataclass
    class Endless:
        more: Endless

    with pytest.raises(UserError, match="without end"):
        sample_of(OutputObjectDefinition.from_type(Endless).json_schema)


Itself = TypeAliasType("Itself", "Itself | str")  # type: ignore[misc]
Lost = TypeAliasType("Lost", "Nowhere")  # type: ignore[name-defined]  # noqa: F821
Growing = TypeAliasType("Growing", "list[Growing[list[T]]]", type_params=(T,))  # type: ignore[misc]
Doubling = TypeAliasType("Doubling", "T | list[Doubling[tuple[T, T]]]", type_params=(T,))  # type: ignore[misc]
Deep: Any = int
for _ in range(3000):
    Deep = list[Deep]
REFUSED: list[tuple[Any, str]] = [
    (Itself, "stands for itself"),
    (list[Itself], "stands for itself"),
    (Lost, "Nowhere"),
    (Growing[int], "endless"),
    (Doubling[int], "endless"),
    (dict[list[int], int], "keys that JSON cannot hold"),
    (dict[str, re.Pattern[bytes]], "no JSON schema"),
    (Deep, "too deeply"),
]


@pytest.mark.parametrize(("kind", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_a_type_that_is_refused(kind: Any, message: str) -> None:
    """A type without a schema is the program's mistake, in both directions."""
    with pytest.raises(UserError, match=message):
        OutputObjectDefinition.from_type(kind)
    with pytest.raises(UserError, match=message):
        answer_with("x").output(kind)


MISFITS: list[tuple[Any, Any, str]] = [
    (Car, {"make": "x", "wheels": 9}, "$.wheels must be at most 8, not 9"),
    (Annotated[int, Bound(multiple_of=2)], 3, "$ must be a multiple of 2, not 3"),
    (Annotated[list[int], Bound(min_length=1)], [], "$ must be of a length of at least 1, not []"),
    (Annotated[str, Bound(pattern="^a")], "b", '$ must be like the pattern ^a, not "b"'),
    (Annotated[date, Bound(gt=date(2026, 1, 2))], "2026-01-02", "greater than 2026-01-02"),
    (dict[int, str], {"a": "b"}, '$.a must be an integer, not "a"'),
    (dict[Annotated[str, Bound(min_length=2)], int], {"a": 1}, "$.a must be of a length"),
    (dict[Color, Level], {"red": 1, "green": 1}, '$.green must be one of "red", "blue"'),
    (timedelta, "P1M", '$ must be a duration such as PT1H30M, not "P1M"'),
    (timedelta, "P99999999999D", "$ must be a duration"),
    (bytes, "é", "$ must be bytes in base64"),
    (IPv4Address, "::1", "$ must be an IPv4 address"),
    (re.Pattern, "(", "$ must be a regular expression"),
    (float, 10**400, "$ must be a number"),
    (Decimal, "NaN", "$ must be a number"),
    (tuple[int, *tuple[str, ...], bool], [1], "$ must have at least 2 items, not 1"),
    (Seeded, {}, "$.seed is missing"),
    (Pair[int], ["x"], "$.first must be an integer"),
    (Pair[int], [], "$.first is missing"),
    (Pair[int], [1, 2, 3], "$ must be an object, not [1, 2, 3]"),
    (Nested[int], [1, ["x"]], "$[1][0] must be one of int, list"),
    (list[int] | dict[str, int] | None, {"a": "x"}, "$.a must be an integer"),
    (Car | Annotated[Node, "x"] | str, {"value": "x"}, "$ must be one of Car, Node, str"),
    (
        Node | Linked | Annotated[Tagged, "x"],
        {"kind": "tagged", "n": "x"},
        "$.n must be an integer",
    ),
]


@pytest.mark.parametrize(("kind", "document", "message"), MISFITS, ids=[m for *_, m in MISFITS])
def test_a_misfit_names_its_place(kind: Any, document: Any, message: str) -> None:
    """What does not fit is told with its place, and what would."""
    with pytest.raises(UnexpectedModelBehavior) as raised:
        answer_with(document).output(kind)
    assert message in raised.value.message


def test_a_long_place_is_cut() -> None:
    """The end of a place counts."""
    document: Any = 5
    for _ in range(150):
        document = {"value": 1, "next": document}
    with pytest.raises(
        UnexpectedModelBehavior, match=r"…[.a-z]*\.next must be an object"
    ) as raised:
        answer_with(document).output(Node)
    assert len(raised.value.message) < 500


def test_defaults_of_dicts_are_made() -> None:
    """A `defaultdict` makes what its annotation says."""
    read = answer_with({}).output(collections.defaultdict[str, list[int]])
    assert read["x"] == []


def test_a_function_takes_what_a_typed_dict_says() -> None:
    """`**kwargs` of a TypedDict are parameters by name."""

    def search(query: str, **more: Unpack[Partly]) -> None: ...

    schema = ToolDefinition.from_callable(search).parameters_json_schema
    assert list(schema["properties"]) == ["query", "rating", "tags"]
    assert (schema["required"], schema["additionalProperties"]) == (["query", "rating"], False)


def test_limits_are_told() -> None:
    """Limits have their keywords in the schema, or words where JSON schema has none."""

    @dataclass
    class Limits:
        a: Annotated[int, Bound(gt=0, le=9, multiple_of=2)]
        b: Annotated[list[str], Bound(min_length=1, max_length=2)]
        c: Annotated[dict[str, int], Bound(min_length=1)]
        d: Annotated[str | None, Bound(max_length=2, pattern="a"), "Text"]
        e: Annotated[date, Bound(ge=date(2026, 1, 2)), "When"]
        f: Annotated[bytes, Bound(max_length=2)]

    string: Any = {"type": "string"}
    assert OutputObjectDefinition.from_type(Limits).json_schema["properties"] == {
        "a": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9, "multipleOf": 2},
        "b": {"type": "array", "items": string, "minItems": 1, "maxItems": 2},
        "c": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
        "d": {"anyOf": [string, {"type": "null"}], "maxLength": 2, "pattern": "a",
              "description": "Text"},
        "e": string | {"format": "date", "description": "When (at least 2026-01-02)"},
        "f": string | {"format": "base64", "description": "of a length of at most 2"},
    }  # fmt: skip


@dataclass
class _Stop:
    city: str
    on: date


def _book(to: _Stop, *stops: int, days: int = 1, **more: date) -> tuple[Any, ...]:
    return to, days, more


STOP = {"city": "Rome", "on": "2026-01-02"}


@pytest.mark.parametrize("args", [json.dumps, dict])
def test_a_call_is_made_with_values(args: Any) -> None:
    """The arguments of a call are values of the function's types, those of `**kwargs` too."""
    call = ToolCallPart("book", args({"to": STOP, "days": 2, "back": "2026-01-03"}))
    made = _book(**call.args_for(_book))
    assert made == (_Stop("Rome", date(2026, 1, 2)), 2, {"back": date(2026, 1, 3)})
    assert ToolCallPart("f").args_for(lambda x=1: x) == {}
    call = ToolCallPart("f", args({"x": 1, "y": 2}))
    assert call.args_for(lambda x: x) == {"x": 1}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ('{"to": {"city": "Ro', "The arguments of _book are not JSON"),
        ("[]", "The call does not fit _book: $ must be an object"),
        ({}, "$.to is missing"),
        ({"to": STOP | {"on": "soon"}}, '$.to.on must be a date, not "soon"'),
        ({"to": STOP, "back": 1}, "$.back must be a date, not 1"),
    ],
)
def test_a_call_that_does_not_fit(args: Any, message: str) -> None:
    with pytest.raises(UnexpectedModelBehavior) as raised:
        ToolCallPart("book", args).args_for(_book)
    assert message in raised.value.message
