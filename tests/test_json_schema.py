"""Schemas keep their meaning, or are made to fit, and what was given never changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from direct_anyio import UserError
from direct_anyio._core.json_schema import inlined_defs, openai_json_schema, walk

NODE = {
    "$defs": {
        "Node": {
            "type": "object",
            "title": "Node",
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
            "required": ["next"],
        }
    },
    "$ref": "#/$defs/Node",
}
CITY = {
    "$defs": {
        "City": {"type": "object", "title": "City", "properties": {"name": {"type": "string"}}}
    },
    "type": "object",
    "properties": {"home": {"$ref": "#/$defs/City", "description": "Where they live."}},
    "required": ["home"],
}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize("transform", [openai_json_schema, inlined_defs])
@pytest.mark.parametrize("schema", [NODE, CITY])
def test_given_schema_stays(transform: Any, schema: dict[str, Any]) -> None:
    """A transform works on a copy."""
    before = copy.deepcopy(schema)
    transform(schema, None)
    assert schema == before


def test_titles_go_but_not_properties_called_so() -> None:
    """OpenAI is not sent titles; a property may still have that name."""
    schema = thing(title={"type": "string", "title": "Title"}) | {"title": "Thing", "$schema": "x"}
    fitted, _ = openai_json_schema(schema, None)
    assert fitted == thing(title={"type": "string"}) | {"additionalProperties": False}


def test_strict_is_inferred_where_nothing_is_lost() -> None:
    """A schema that says all that strict mode wants can be strict."""
    assert openai_json_schema(thing(a={"type": "string"}), None)[1]


@pytest.mark.parametrize(
    "property_",
    [
        {"type": "string", "default": "x"},
        {"type": "string", "minLength": 1},
        {"type": "string", "format": "uri"},
        {"type": "string", "pattern": "(?<!a)b"},
        {"type": "array"},
        {"type": "array", "items": {}},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
        {"$ref": "#/properties/other"},
    ],
)
def test_strict_is_not_inferred_where_something_would_be_lost(property_: dict[str, Any]) -> None:
    """What strict mode does not know keeps its meaning, without strict mode."""
    schema = thing(a=property_, other={"type": "string"})
    fitted, strict = openai_json_schema(schema, None)
    assert not strict
    kept = {key: value for key, value in property_.items() if key != "additionalProperties"}
    assert fitted["properties"]["a"].items() >= kept.items()


@pytest.mark.parametrize("pattern", ["a(?:b)", r"\(?=", "[a-z]+"])
def test_patterns_that_look_nowhere_may_be_strict(pattern: str) -> None:
    """Only patterns that look ahead or behind are refused by strict mode."""
    assert openai_json_schema(thing(a={"type": "string", "pattern": pattern}), None)[1]


def test_optional_properties_are_not_strict() -> None:
    """A property that may be left out cannot be held to."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert not openai_json_schema(schema, None)[1]


def test_forced_strict_requires_all_and_tells_the_rest() -> None:
    """With `strict=True` everything is required, and limits move to the description."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "A.", "minLength": 2, "format": "uri"},
            "b": {"oneOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
    }
    fitted, strict = openai_json_schema(schema, True)
    assert strict
    assert fitted == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "description": "A. (minLength=2, format=uri)"},
            "b": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }


def test_forced_strict_refuses_arrays_of_anything() -> None:
    """No type can be made up for the items of an array."""
    with pytest.raises(UserError, match="items"):
        openai_json_schema(thing(a={"type": "array"}), True)


def test_reference_with_siblings_becomes_a_union() -> None:
    """OpenAI takes no siblings of a reference, but those of a union."""
    fitted, _ = openai_json_schema(CITY, None)
    home = fitted["properties"]["home"]
    assert home == {"description": "Where they live.", "anyOf": [{"$ref": "#/$defs/City"}]}


def test_recursive_root_is_not_a_reference() -> None:
    """A schema that is one of its own definitions is written out, and refers to '#'."""
    fitted, strict = openai_json_schema(NODE, None)
    assert strict
    assert "$ref" not in fitted
    assert fitted["properties"]["next"]["anyOf"][0] == {"$ref": "#"}


def test_too_deep_for_strict() -> None:
    """More than ten objects in each other are not strict."""
    schema = thing(leaf={"type": "string"})
    for _ in range(10):
        schema = thing(inner=schema)
    assert not openai_json_schema(schema, None)[1]
    assert openai_json_schema(schema["properties"]["inner"], None)[1]


def test_definitions_are_inlined_with_what_stands_beside() -> None:
    """A definition is put where it is referred to, under the keywords beside the reference."""
    fitted, _ = inlined_defs(CITY, None)
    assert "$defs" not in fitted
    home = fitted["properties"]["home"]
    assert home == CITY["$defs"]["City"] | {"description": "Where they live."}  # type: ignore[index]


def test_recursive_definitions_stay() -> None:
    """What holds itself cannot be written out and stays a definition."""
    fitted, _ = inlined_defs(NODE, None)
    assert fitted["$ref"] == "#/$defs/Node"
    assert fitted["$defs"]["Node"]["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Node"}


def test_reference_to_nothing() -> None:
    """A reference that leads nowhere is the program's mistake."""
    with pytest.raises(UserError, match="does not hold"):
        inlined_defs(thing(a={"$ref": "#/$defs/Missing"}), None)


def test_references_that_multiply_are_refused() -> None:
    """A small schema cannot be made to fill the memory."""
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    inner: dict[str, Any] = {}
    for number in range(1, 30):
        inner = {"$ref": f"#/$defs/d{number - 1}"}
        defs[f"d{number}"] = thing(a=inner, b=inner)
    with pytest.raises(UserError, match="expand"):
        inlined_defs({"$defs": defs, "type": "object", "properties": {"a": inner}}, None)


def test_union_of_one_is_that_one() -> None:
    """A union with one member says no more than the member."""
    schema = {"anyOf": [{"type": "string"}], "description": "A."}
    assert walk(schema, lambda each: each) == {"type": "string", "description": "A."}
