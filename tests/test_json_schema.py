"""Schemas keep their meaning, or are made to fit, and what was given never changes."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from direct_anyio import (
    ModelRequest,
    ModelRequestParameters,
    OutputObjectDefinition,
    SchemaWarning,
    ToolDefinition,
    UserError,
    infer_model,
    model_request,
)
from direct_anyio._core.json_schema import inlined_defs, map_schema, openai_json_schema
from direct_anyio.dialects._anthropic_schema import anthropic_json_schema

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
        {},
        True,
        {"description": "Anything."},
        {"type": "object"},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "properties": {}, "required": [], "patternProperties": {"a": {}}},
        {"type": ["object", "null"], "properties": {}, "required": []},
        {"type": ["array", "null"]},
        {"type": "string", "not": {"const": "x"}},
        {"type": "string", "if": {"minLength": 1}, "then": {}, "else": {}},
        {"type": "object", "properties": {}, "required": [], "dependentRequired": {"a": ["b"]}},
        {"type": "object", "properties": {}, "required": [], "dependentSchemas": {"a": {}}},
        {"type": "object", "properties": {}, "required": [], "propertyNames": {"pattern": "a"}},
        {"allOf": [{"type": "string"}, {"minLength": 1}]},
        {"anyOf": [{"type": "string"}, {}]},
        {"type": "array", "items": {"anyOf": [{"type": "array"}, {"type": "null"}]}},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"type": "string", "contentEncoding": "base64"},
    ],
)
def test_strict_is_not_inferred_where_something_would_be_lost(property_: dict[str, Any]) -> None:
    """What strict mode does not know keeps its meaning, without strict mode."""
    schema = thing(a=property_, other={"type": "string"})
    fitted, strict = openai_json_schema(schema, None)
    assert not strict
    if isinstance(property_, dict) and "anyOf" not in property_:
        assert fitted["properties"]["a"].items() >= property_.items()


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


@pytest.mark.parametrize(
    ("property_", "place"),
    [
        ({"type": "array"}, r"\$\.a"),
        ({"type": "array", "items": {}}, r"\$\.a\[\]"),
        ({}, r"\$\.a"),
        (True, r"\$\.a"),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, r"\$\.a"),
        (thing(b={"anyOf": [{"type": "null"}, {}]}), r"\$\.a\.b"),
    ],
)
def test_forced_strict_refuses_what_has_no_type(property_: Any, place: str) -> None:
    """No type can be made up for a member, or for the items of an array."""
    with pytest.raises(UserError, match=f"needs a type for {place},.*strict=False"):
        openai_json_schema(thing(a=property_), True)


def test_forced_strict_tells_what_it_does_not_know() -> None:
    """What a schema says beside a type goes to the description, a type list becomes a union."""
    words = {"type": "string", "not": {"const": "x"}, "description": "A."}
    several = {"type": ["object", "array", "null"], "properties": {"b": {"type": "string"}},
               "items": {"type": "string"}, "description": "B."}  # fmt: skip
    fitted, strict = openai_json_schema(thing(a=words, b=several), True)
    assert strict
    assert fitted["properties"] == {
        "a": {"type": "string", "description": "A. (not={'const': 'x'})"},
        "b": {
            "anyOf": [
                thing(b={"type": "string"}) | {"additionalProperties": False},
                {"type": "array", "items": {"type": "string"}},
                {"type": "null"},
            ],
            "description": "B.",
        },
    }


OPEN = {"type": "object", "additionalProperties": {"type": "integer"}}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (thing(scores=OPEN), "$.scores"),
        (thing(scores={"type": "object"}), "$.scores"),
        (thing(scores={"type": "object", "additionalProperties": {"type": "null"}}), "$.scores"),
        (thing(scores={"type": "object", "additionalProperties": True}), "$.scores"),
        (thing(scores={"type": "object", "additionalProperties": {}}), "$.scores"),
        (thing(scores={"type": "object", "patternProperties": {"a": OPEN}}), "$.scores"),
        (thing(all={"type": "array", "items": {"anyOf": [OPEN, {"type": "null"}]}}), "$.all[]"),
        (thing(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": thing(scores=OPEN)}}, "A.scores"),
        (thing(a={"type": "string"}) | {"additionalProperties": True}, "$"),
    ],
)
@pytest.mark.parametrize("transform", [openai_json_schema, anthropic_json_schema])
def test_an_object_of_any_keys_that_is_closed_warns(
    transform: Any, schema: dict[str, Any], place: str
) -> None:
    """A strict schema that can only ever be {} where keys were wanted warns of the place."""
    with pytest.warns(SchemaWarning, match=f"^{re.escape(place)} may have any keys") as reported:
        transform(schema, True)
    assert len(reported) == 1
    transform(schema, None)  # which loses nothing


def test_an_object_without_members_is_no_loss() -> None:
    """A tool without arguments is strict, and nothing is told."""
    for schema in ({"type": "object"}, {"type": "object", "properties": {}, "required": []}):
        fitted, _ = openai_json_schema(schema, None)
        assert fitted["additionalProperties"] is False
    openai_json_schema({"type": "object", "properties": {}}, True)
    anthropic_json_schema({"type": "object", "properties": {}}, True)


def test_schemas_inside_of_conditions_are_inlined() -> None:
    """A reference is followed wherever a schema may stand."""
    defs = {"Word": {"type": "string"}}
    reference = {"$ref": "#/$defs/Word"}
    schema = {"type": ["object", "null"], "properties": {"a": reference}, "not": reference,
              "dependentSchemas": {"a": reference}, "$defs": defs}  # fmt: skip
    fitted, strict = inlined_defs(schema, None)
    assert "$ref" not in json.dumps(fitted)
    assert not strict


NAMES: list[tuple[str, str, bool]] = [
    ("openai:gpt-4.1", "a" * 64, True),
    ("openai:gpt-4.1", "a" * 65, False),
    ("openai:gpt-4.1", "files.read", False),
    ("openai-responses:gpt-4.1", "größe", False),
    ("anthropic:claude-sonnet-4-5", "a" * 128, True),
    ("anthropic:claude-sonnet-4-5", "files.read", False),
    ("google:gemini-2.5-flash", "files.read", True),
    ("google:gemini-2.5-flash", "1st", False),
    ("deepseek:deepseek-chat", "files.read", True),
]


@pytest.mark.parametrize(("model_name", "name", "taken"), NAMES)
def test_a_name_that_a_provider_refuses_is_an_error(
    model_name: str, name: str, taken: bool
) -> None:
    """A tool whose name the provider does not take is the program's mistake."""
    model = infer_model(model_name, api_key="k")
    tool = ToolDefinition(name=name, parameters_json_schema=thing(a={"type": "string"}))
    parameters = ModelRequestParameters(function_tools=[tool])
    if taken:
        _, fitted = model.prepare_request(None, parameters)
        strict = fitted.function_tools[0].strict
        assert not (strict and "." in name)
    else:
        with pytest.raises(UserError, match="give it another"):
            model.prepare_request(None, parameters)


@pytest.mark.parametrize("model_name", ["openai:gpt-4.1", "openai-responses:gpt-4.1"])
async def test_a_schema_name_that_a_provider_refuses_is_an_error(model_name: str) -> None:
    """A native output is sent with its name, which is a tool's."""
    output = OutputObjectDefinition(thing(a={"type": "string"}), "My answer!")
    parameters = ModelRequestParameters(output_mode="native", output_object=output)
    with pytest.raises(UserError, match="My answer!"):
        await model_request(
            infer_model(model_name, api_key="k"),
            [ModelRequest.user_text_prompt("x")],
            model_request_parameters=parameters,
        )


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
    assert map_schema(schema, lambda each: each) == {"type": "string", "description": "A."}
