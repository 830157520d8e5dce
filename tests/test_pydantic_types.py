"""Models of pydantic's as tools and outputs, alone and inside of other types."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar

import attrs
import pytest

from direct_anyio import (
    ModelResponse,
    OutputObjectDefinition,
    TextPart,
    ToolDefinition,
    UnexpectedModelBehavior,
    UserError,
)

pydantic = pytest.importorskip("pydantic")

from pydantic import (  # noqa: E402
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    RootModel,
    field_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass  # noqa: E402

T = TypeVar("T")


class City(BaseModel):
    """A city of the world."""

    name: str = Field(description="Its name", min_length=1)
    founded: date | None = None

    @field_validator("name")
    @classmethod
    def _capital(cls, value: str) -> str:
        if value[0].islower():
            raise ValueError("must start with a capital letter")
        return value


class Country(BaseModel):
    capital: City
    cities: list[City] = []


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Aliased(BaseModel):
    model_config = ConfigDict(strict=True)
    when: date = Field(alias="When")
    parts: tuple[int, ...] = Field((), validation_alias="Parts")


class Box(BaseModel, Generic[T]):
    item: T


class Cat(BaseModel):
    kind: Literal["cat"]
    meow: str


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: str


class Pets(RootModel[list[Annotated[Cat | Dog, Field(discriminator="kind")]]]):
    pass


@pydantic_dataclass
class Point:
    x: int = Field(ge=0)
    y: int = Field(0, title="How high")


@dataclass
class Trip:
    to: City
    via: list[City | None] = field(default_factory=list)
    days: Annotated[int, Field(gt=0, description="How many")] = 1


@attrs.frozen
class Crate(Generic[T]):
    box: Box[T]
    trees: dict[str, Tree] = attrs.field(factory=dict)


class Partly(TypedDict):
    city: City
    site: HttpUrl


ROME, PARIS = {"name": "Rome"}, {"name": "Paris", "founded": "2026-01-02"}

# The type, the JSON that a model writes, and its value.
ROWS: list[tuple[Any, Any, Any]] = [
    (City, ROME, City(name="Rome")),
    (City | None, None, None),
    (City | None, ROME, City(name="Rome")),
    (City | str, "Rome", "Rome"),
    (list[City], [ROME, PARIS], [City(name="Rome"), City(name="Paris", founded=date(2026, 1, 2))]),
    (dict[str, City], {"a": ROME}, {"a": City(name="Rome")}),
    (tuple[City, int], [ROME, 1], (City(name="Rome"), 1)),
    (Country, {"capital": ROME}, Country(capital=City(name="Rome"))),
    (Tree, {"value": 1, "children": [{"value": 2}]}, Tree(value=1, children=[Tree(value=2)])),
    (list[Tree], [{"value": 1}], [Tree(value=1)]),
    (Aliased, {"When": "2026-01-02", "Parts": [1]},
     Aliased.model_validate({"When": date(2026, 1, 2), "Parts": (1,)})),
    (Box[int], {"item": 1}, Box[int](item=1)),
    (Box[City], {"item": ROME}, Box[City](item=City(name="Rome"))),
    (Crate[int], {"box": {"item": 1}, "trees": {"a": {"value": 1}}},
     Crate(Box[int](item=1), {"a": Tree(value=1)})),
    (Cat | Dog, {"kind": "dog", "bark": "wau"}, Dog(kind="dog", bark="wau")),
    (Pets, [{"kind": "cat", "meow": "mew"}], Pets([Cat(kind="cat", meow="mew")])),
    (Point, {"x": 1}, Point(1, 0)),
    (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
    (Trip, {"to": ROME, "via": [None, ROME]}, Trip(City(name="Rome"), [None, City(name="Rome")])),
    (Partly, {"city": ROME, "site": "https://x.org/"},
     {"city": City(name="Rome"), "site": HttpUrl("https://x.org/")}),
    (Annotated[City, "Where"], ROME, City(name="Rome")),
]  # fmt: skip


def answer_with(document: Any) -> ModelResponse:
    return ModelResponse([TextPart(json.dumps(document))])


def references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*map(references, schema.values()))


@pytest.mark.parametrize(("kind", "document", "value"), ROWS, ids=[str(row[0]) for row in ROWS])
def test_a_model_is_read_back(kind: Any, document: Any, value: Any) -> None:
    """Models have schemas whose references are all there, and are read by their own rules."""
    schema = OutputObjectDefinition.from_type(kind).json_schema
    assert schema["type"] == "object"
    assert references(schema) <= {f"#/$defs/{name}" for name in schema.get("$defs", ())}
    assert answer_with(document).output(kind) == value
    if "response" in schema["properties"] if "properties" in schema else False:
        assert answer_with({"response": document}).output(kind) == value


MISFITS: list[tuple[Any, Any, str]] = [
    (City, {}, "City: $.name is missing"),
    (City, {"name": "rome"}, "$.name is invalid: Value error, must start with a capital letter"),
    (list[City], [ROME, {"name": 1}], "$[1].name is invalid: Input should be a valid string"),
    (Trip, {"to": {"name": ""}}, "$.to.name is invalid: String should have at least 1 character"),
    (Trip, {"to": ROME, "days": 0}, "$.days must be greater than 0, not 0"),
    (Point, {"x": -1}, "$.x is invalid"),
    (Partly, {"city": ROME, "site": "x"}, "$.site is invalid"),
    (Cat | Dog, {"kind": "cow"}, "$ must be one of Cat, Dog"),
]


@pytest.mark.parametrize(("kind", "document", "message"), MISFITS, ids=[m for *_, m in MISFITS])
def test_what_pydantic_refuses_names_its_place(kind: Any, document: Any, message: str) -> None:
    """An error of pydantic's is one of ours, with the places."""
    with pytest.raises(UnexpectedModelBehavior) as raised:
        answer_with(document).output(kind)
    assert message in raised.value.message


def test_a_model_becomes_a_shape() -> None:
    """Name and docstring are the model's; titles that say nothing are gone."""
    assert OutputObjectDefinition.from_type(City) == OutputObjectDefinition(
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Its name", "minLength": 1},
                "founded": {
                    "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                    "default": None,
                },
            },
            "required": ["name"],
        },
        "City",
        "A city of the world.",
    )
    point = OutputObjectDefinition.from_type(list[Point]).json_schema["$defs"]["Point"]
    assert point["properties"]["y"]["title"] == "How high"
    assert OutputObjectDefinition.from_type(Box[City]).name == "Box_City"


def test_a_function_takes_models() -> None:
    """Models are parameters, and so is what pydantic's `Field` tells of others."""

    def plan(
        city: City, others: list[Country], days: int = Field(3, gt=0, description="x")
    ) -> None:
        """Plan."""

    schema = ToolDefinition.from_callable(plan).parameters_json_schema
    assert schema["properties"] == {
        "city": {"$ref": "#/$defs/City"},
        "others": {"type": "array", "items": {"$ref": "#/$defs/Country"}},
        "days": {"type": "integer", "exclusiveMinimum": 0, "description": "x", "default": 3},
    }
    assert schema["required"] == ["city", "others"]
    assert list(schema["$defs"]) == ["City", "Country"]
    for kind in (City, Point):  # whose signatures have lost their annotations or descriptions
        tool = ToolDefinition.from_callable(kind)
        assert tool.parameters_json_schema == OutputObjectDefinition.from_type(kind).json_schema


def test_definitions_of_one_name_stay_apart() -> None:
    """Two models and a dataclass of one name, one inside of another, are three definitions."""
    other = pydantic.create_model("City", x=(int, ...))
    holder = pydantic.create_model("Holder", city=(other, ...), tree=(Tree, ...))
    own: Any = dataclass(type("City", (), {"__annotations__": {"z": int}}))
    for kinds in ((City, holder, own), (own, holder, City), (holder, own, City)):
        schema = OutputObjectDefinition.from_type(tuple[kinds]).json_schema  # type: ignore[valid-type]
        defs = schema["$defs"]
        at = [each["$ref"].removeprefix("#/$defs/")
              for each in schema["properties"]["response"]["prefixItems"]]  # fmt: skip
        inner = defs[at[kinds.index(holder)]]["properties"]["city"]["$ref"]
        at[kinds.index(holder)] = inner.removeprefix("#/$defs/")
        expected = {City: {"name", "founded"}, holder: {"x"}, own: {"z"}}
        assert [defs[name]["properties"].keys() for name in at] == [expected[k] for k in kinds]
        assert references(schema) <= {f"#/$defs/{name}" for name in defs}


def test_a_model_without_a_schema_is_refused() -> None:
    """What pydantic cannot write a schema of is the program's mistake."""

    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        of: object
        call: UserError

    class Lost(BaseModel):
        x: Nowhere  # type: ignore[name-defined]  # noqa: F821

    for kind in (Odd, list[Odd], Lost):
        with pytest.raises(UserError, match="has no JSON schema"):
            OutputObjectDefinition.from_type(kind)
        with pytest.raises(UserError):
            answer_with({}).output(kind)


def test_whatever_has_the_methods_of_a_model_is_one() -> None:
    """A class is known by its methods."""

    class Word:
        def __init__(self, text: str) -> None:
            self.text = text

        @classmethod
        def model_json_schema(cls) -> dict[str, Any]:
            return {"type": "object", "properties": {"text": {"type": "string"}}}

        @classmethod
        def model_validate(cls, document: Any) -> Word:
            return cls(document["text"])

    schema = OutputObjectDefinition.from_type(list[Word]).json_schema
    assert schema["$defs"] == {"Word": Word.model_json_schema()}
    assert answer_with([{"text": "x"}]).output(list[Word])[0].text == "x"
    with pytest.raises(UnexpectedModelBehavior):
        answer_with([{}]).output(list[Word])


def test_validators_in_annotations_run() -> None:
    """What an `Annotated` tells pydantic holds outside of its models, too."""

    @dataclass
    class Doubled:
        n: Annotated[int, AfterValidator(lambda value: value * 2), "Twice"]

    assert answer_with({"n": 2}).output(Doubled) == Doubled(4)
    schema = OutputObjectDefinition.from_type(Doubled).json_schema
    assert schema["properties"] == {"n": {"type": "integer", "description": "Twice"}}
    with pytest.raises(UnexpectedModelBehavior, match=r"\$\.n is invalid"):
        answer_with({"n": "x"}).output(Doubled)


def test_validators_in_annotations_of_models_run() -> None:
    """Whatever a validator raises is a invalid, whatever it returns is the value."""

    def fail(value: int) -> int:
        if value == 0:
            raise RuntimeError("zero")
        return value + 1

    model = pydantic.create_model("M", n=(Annotated[int, AfterValidator(fail)], ...))
    assert answer_with({"n": 1}).output(model).n == 2
    with pytest.raises(UnexpectedModelBehavior, match="zero"):
        answer_with({"n": 0}).output(model)
