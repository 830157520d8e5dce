"""Any value as JSON: what pydantic writes for it, wherever it goes and whatever it is in."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import json
import math
import re
from collections import ChainMap, Counter, OrderedDict, UserDict, UserString, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from uuid import UUID

import attrs
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct_anyio._core.telemetry import content_attributes
from direct_anyio._json import MAX_DEPTH
from direct_anyio._values import as_text, iso_duration, plain, to_json
from direct_anyio.exceptions import UserError
from direct_anyio.history import dump_messages, load_messages
from direct_anyio.messages import (
    BinaryContent,
    CachePoint,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    RetryPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
)
from direct_anyio.tools import ModelRequestParameters, OutputObjectDefinition

PYDANTIC = pydantic.TypeAdapter(
    Any, config=pydantic.ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
)
"""What pydantic-ai writes a tool's result with."""


class Pair(NamedTuple):
    a: int
    b: str


class Colour(enum.Enum):
    RED = "red"
    BOTH = ("red", 1)


class Size(str, enum.Enum):  # noqa: UP042 - its `str` is its name
    BIG = "big"


class Level(enum.IntEnum):
    LOW = 1


class Name(enum.StrEnum):
    A = "a"


class Text(str): ...


class Number(int): ...


class Items(list[Any]): ...


class Members(dict[str, Any]): ...


@dataclasses.dataclass(frozen=True)
class Weather:
    day: date
    wind: tuple[float, ...] = (1.5, math.nan)


class City(pydantic.BaseModel):
    name: str
    since: date = date(2026, 1, 2)
    mean: float = math.inf


@pydantic.dataclasses.dataclass
class Town:
    name: str
    open_for: timedelta = timedelta(hours=1)


WHEN = datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))

# What pydantic writes: each value is made anew, since an iterator gives its items once.
ALIKE: dict[str, Callable[[], Any]] = {
    "named tuple": lambda: Pair(1, "x"),
    "dataclass": lambda: [Weather(date(2026, 1, 2))],
    "model": lambda: {"city": City(name="Köln")},
    "pydantic dataclass": lambda: Town("x"),
    "enum": lambda: {"a": Colour.RED, "b": [Colour.BOTH, Size.BIG, Level.LOW]},
    "subclasses": lambda: [Text("é"), Number(7), Items([1]), Members(a=True)],
    "dates": lambda: [date(2026, 1, 2), time(1, 2), time(1, 2, 3, 4, tzinfo=UTC)],
    "moments": lambda: [WHEN, WHEN.replace(tzinfo=None), WHEN.replace(tzinfo=INDIA)],
    "durations": lambda: [timedelta(hours=1), -timedelta(days=400, microseconds=3), timedelta()],
    "numbers": lambda: [Decimal("1.50"), Fraction(1, 3), 1 + 2j, 2**70, 0.1],
    "no numbers": lambda: [math.nan, math.inf, -math.inf, Decimal("NaN")],
    "named": lambda: [UUID(int=1), Path("/a"), re.compile("a+")],
    "addresses": lambda: [ipaddress.ip_address("::1"), ipaddress.ip_network("10.0.0.0/8")],
    "bytes": lambda: [b"\xff\xfe", bytearray(b"a")],
    "containers": lambda: [deque([1]), {2}, frozenset({3}), OrderedDict(a=1), Counter("a")],
    "iterators": lambda: [(i for i in range(3)), map(str, [1]), iter([1])],
    "keys": lambda: {
        Colour.RED: 1,
        date(2026, 1, 2): 2,
        UUID(int=1): 3,
        2: 4,
        None: 5,
        1.5: 6,
        (1, 2): 7,
        True: 8,
        b"a": 9,
        timedelta(hours=1): 10,
        Size.BIG: 11,
        Path("x"): 12,
        WHEN: 13,
        Decimal("1.0"): 14,
    },
    "text": lambda: 'é "\\\n\u2028 😀',
}


@pytest.mark.parametrize("make", ALIKE.values(), ids=ALIKE)
def test_values_are_written_as_pydantic_writes_them(make: Callable[[], Any]) -> None:
    """Tool results, arguments and all else are the JSON that pydantic-ai sends."""
    assert to_json(make()) == PYDANTIC.dump_json(make()).decode()


@settings(deadline=None, max_examples=100)
@given(st.timedeltas())
def test_durations(value: timedelta) -> None:
    """A duration of any length is what pydantic writes."""
    assert f'"{iso_duration(value)}"' == PYDANTIC.dump_json(value).decode()


@attrs.frozen
class Point:
    x: int
    _secret: int = 2


class Array:
    """An array or a scalar of numpy's, as far as it is asked."""

    __module__ = "numpy"

    def __init__(self, values: Any, form: str) -> None:
        self.values, self.dtype = values, SimpleNamespace(str=form)

    def astype(self, form: str) -> Array:
        return Array(self.values, form)

    def tolist(self) -> Any:
        return 0 if self.dtype.str.endswith("[ns]") else self.values


FILE = BinaryContent(b"\xff", media_type="image/png", identifier="a")
TOLD: dict[str, tuple[Any, Any]] = {
    "attrs": (Point(1), {"x": 1, "secret": 2}),
    "errors": ([ValueError("no")], ["no"]),
    "mappings": ([UserDict(a=1), ChainMap({"a": 1})], [{"a": 1}, {"a": 1}]),
    "sequences": ([range(2), {"a": 1}.keys(), {"a": 1}.values(), memoryview(b"a")], ...),
    "sets": ({"b", "a", "c"}, ["a", "b", "c"]),
    "odd offset": (
        datetime(2026, 1, 2, tzinfo=timezone(timedelta(minutes=19, seconds=32))),
        "2026-01-01T23:40:28Z",
    ),
    "classes": ([int], ["<class 'int'>"]),
    "keys of no form": ({frozenset({1}): 1}, {"frozenset({1})": 1}),
    "surrogates": ({"\ud800": ["a\udfff"]}, {"\ufffd": ["a\ufffd"]}),
    "a pair of surrogates": ("\ud83d\ude00\ud83d", "😀\ufffd"),
    "other text": ([UserString("a")], ["a"]),
    "arrays": (Array([[1.5, math.nan]], "<f8"), [[1.5, None]]),
    "arrays of times": (Array([WHEN], "<M8[ns]"), ["2026-01-02T03:04:05.000060Z"]),
    "keys of arrays": ({Array(3, "<i8"): 1}, {"3": 1}),
    "a file": (
        {"file": FILE},
        {
            "file": {
                "data": "_w==",
                "media_type": "image/png",
                "vendor_metadata": None,
                "identifier": "a",
                "kind": "binary",
            }
        },
    ),
    "a URL": (
        {"url": ImageUrl("https://x/y", identifier="b", force_download=True)},
        {
            "url": {
                "url": "https://x/y",
                "force_download": True,
                "vendor_metadata": None,
                "media_type": None,
                "identifier": "b",
                "kind": "image-url",
            }
        },
    ),
    "a part": (
        TextPart("a"),
        {"content": "a", "id": None, "provider_details": None, "part_kind": "text"},
    ),
}


@pytest.mark.parametrize(("value", "written"), TOLD.values(), ids=TOLD)
def test_what_pydantic_does_not_know(value: Any, written: Any) -> None:
    """What else there is has the nearest form, and a private name is never told."""
    if written is ...:
        written = [[0, 1], ["a"], [1], "YQ=="]
    assert json.loads(to_json(value)) == written


TEXTS: list[tuple[Any, str]] = [
    ("a", "a"),
    (Size.BIG, "big"),
    (Colour.RED, "red"),
    (WHEN, "2026-01-02T03:04:05.000060Z"),
    (timedelta(hours=1), "PT1H"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (b"\xff", "_w=="),
    (ValueError("no"), "no"),
    (["é"], '["é"]'),
    ({Name.A: 1, Text("x"): 2, WHEN: 3}, '{"a":1,"x":2,"2026-01-02T03:04:05.000060Z":3}'),
    (None, "null"),
    (math.nan, "null"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=[repr(text) for _, text in TEXTS])
def test_a_result_that_is_text_is_sent_without_quotes(value: Any, text: str) -> None:
    """A result whose JSON is text is that text, as it is once the history was stored."""
    part = ToolReturnPart("t", value, "c")
    assert (as_text(value), part.model_response_str()) == (text, text)
    (message,) = load_messages(dump_messages([ModelRequest([part])]))
    (stored,) = message.parts
    assert isinstance(stored, ToolReturnPart)
    assert stored.model_response_str() == text


leaves: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=4),
    st.binary(max_size=3),
    st.sampled_from([Colour.RED, Size.BIG, Level.LOW, Text("x"), FILE, CachePoint()]),
    st.datetimes(timezones=st.sampled_from([UTC, INDIA])),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.decimals(),
    st.uuids(),
    st.builds(Weather, st.dates(), st.tuples(st.floats())),
    st.builds(City, name=st.text(max_size=3), mean=st.floats()),
    st.builds(UploadedFile, file_id=st.text(max_size=3), provider_name=st.just("openai")),
)
keys: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=3),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([UTC, INDIA])),
    st.integers(),
    st.uuids(),
    st.sampled_from([Name.A, Size.BIG, Text("x")]),
)
results: st.SearchStrategy[Any] = st.recursive(
    leaves | st.sets(st.integers() | st.text(max_size=2), max_size=3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(st.sampled_from(["kind", "$direct_anyio", "ttl", "url"]), inner),
        st.builds(Pair, inner, inner),
        st.builds(TextContent, st.text(max_size=2), metadata=inner),
        st.builds(ImageUrl, st.text(max_size=2), vendor_metadata=st.dictionaries(keys, inner)),
    ),
    max_leaves=5,
)
results |= st.lists(results, max_size=2).map(iter)


@settings(deadline=None, max_examples=100)
@given(results)
def test_a_stored_result_tells_the_same(value: Any) -> None:
    """What was in memory and what was stored and read back tell a model the same text."""
    part = ToolReturnPart("t", value, "c")
    try:
        stored = dump_messages([ModelRequest([part])])
    except UserError:  # two keys that JSON would make one
        return
    (message,) = load_messages(stored)
    (again,) = message.parts
    assert isinstance(again, ToolReturnPart)
    assert again.model_response_str() == part.model_response_str()
    assert again.model_response_object() == part.model_response_object()


def loop() -> list[Any]:
    """A list that holds itself."""
    values: list[Any] = [1]
    values.append({"a": values})
    return values


def nested(levels: int) -> Any:
    """Lists within each other."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class Endless:
    def model_dump(self, mode: str) -> Any:
        return Endless()


class Broken:
    def model_dump(self, mode: str) -> Any:
        raise KeyError("a")

    __str__ = None  # type: ignore[assignment]
    __repr__ = None  # type: ignore[assignment]


REFUSED: dict[str, tuple[Any, str]] = {
    "a loop": (loop(), r"\[1\]\.a\[1\].* is nested more than 100 levels deep"),
    "depth": (nested(MAX_DEPTH + 1), "nested more than 100"),
    "depth beyond all recursion": (nested(100_000), "nested more than 100"),
    "a dump without end": (Endless(), "nested more than 100"),
    "an error of its own": ({"a": [Broken()]}, r"\.a\[0\] cannot be written as JSON: KeyError"),
    "a key that cannot be shown": ({Broken(): 1}, "value of type Broken.* KeyError"),
    "digits": (10**5000, "4300 digits"),
}
TELLERS: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: ToolReturnPart("t", value, "c").model_response_str(),
    "arguments": lambda value: ToolCallPart("t", {"a": value}).args_as_json_str(),
    "retry": lambda value: RetryPromptPart([{"input": value}]).model_response(),
    "schema": lambda value: prompted({"default": value}),
}


def prompted(schema: dict[str, Any]) -> str | None:
    """What a model is told of a schema."""
    return ModelRequestParameters(
        output_mode="prompted",
        output_object=OutputObjectDefinition(schema),
        prompted_output_template="{schema}",
    ).prompted_output_instructions


@pytest.mark.parametrize("write", TELLERS.values(), ids=TELLERS)
@pytest.mark.parametrize(("value", "error_text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_is_a_user_error(
    value: Any, error_text: str, write: Callable[[Any], Any]
) -> None:
    """A value that holds itself, is too deep or fails is refused, with its place."""
    with pytest.raises(UserError, match=error_text):
        write(value)


@pytest.mark.parametrize("write", TELLERS.values(), ids=TELLERS)
def test_all_that_is_sent_is_written_alike(write: Callable[[Any], Any]) -> None:
    """Results, arguments, retry prompts and schemas write one value in one way, not escaped."""
    written = re.sub(r"\s", "", write({"é": Weather(date(2026, 1, 2)), "b": [Colour.RED, b"a"]}))
    assert '{"é":{"day":"2026-01-02","wind":[1.5,null]},"b":["red","YQ=="]}' in written


def test_a_trace_says_the_same() -> None:
    """A span shows a result and arguments as they are sent, files in the words of the field."""
    value = {"day": Weather(date(2026, 1, 2)), "raw": b"\xff", "file": FILE}
    messages: list[ModelMessage] = [ModelRequest([ToolReturnPart("t", value, "c")])]
    for binary, raw in ((True, "_w=="), (False, "")):
        written = content_attributes(messages, ModelRequestParameters(), binary=binary)
        (error_text,) = json.loads(written["gen_ai.input.messages"])
        response = error_text["parts"][0]["response"]
        assert response["day"] == {"day": "2026-01-02", "wind": [1.5, None]}
        assert (response["raw"], response["file"]["type"]) == (raw, "blob")


def test_an_iterator_is_written_more_than_once() -> None:
    """A result that gives its items once is told in every request that follows."""
    part = ToolReturnPart("t", (i for i in range(2)), "c")
    assert [part.model_response_str() for _ in range(2)] == ["[0,1]", "[0,1]"]


def test_plain_leaves_the_value_alone() -> None:
    """What is written is a copy."""
    value = {"a": [1, {"b": "x"}]}
    copy = plain(value)
    assert copy == value
    copy["a"][1]["b"] = "y"
    assert value == {"a": [1, {"b": "x"}]}


class _Thing:
    """A class that says nothing of its values."""


class _Spoken(_Thing):
    def __str__(self) -> str:
        return "a thing"


@pytest.mark.parametrize("value", [_Thing(), {"a": [_Thing()]}, lambda: 1])
def test_an_address_is_never_told(value: Any) -> None:
    """An object whose text is where it lies in memory is the program's mistake."""
    with pytest.raises(UserError, match="must be a value that JSON can hold"):
        to_json(value)
    assert to_json(_Spoken()) == '"a thing"'


@dataclasses.dataclass
class _City:
    name: str


def test_arguments_may_be_an_object() -> None:
    """Those of a dataclass, or of what else JSON has an object for, are its dict."""
    assert ToolCallPart("t", cast(Any, _City("Rome"))).args == {"name": "Rome"}
    assert ToolCallPart("t", {"city": _City("Rome")}).args_as_json_str() == (
        '{"city":{"name":"Rome"}}'
    )
    assert cast(Any, ToolCallPart("t", cast(Any, 3)).args) == 3
