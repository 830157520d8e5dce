"""Values made for a JSON schema: allowed by it, small, and the same every time."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio._core.sample import sample_of
from direct_anyio.exceptions import UserError

NODE = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
SAMPLES: list[tuple[dict[str, Any], int, Any]] = [
    ({}, 0, "a"),
    ({"type": "string"}, 0, "a"),
    ({"type": "string"}, 1, "b"),
    ({"type": "string", "minLength": 3}, 0, "aaa"),
    ({"type": "string", "minLength": 3, "maxLength": 3}, 95, "aba"),
    ({"type": "string", "maxLength": 0}, 0, ""),
    ({"type": "string", "minLength": 1, "format": "uri"}, 1, "https://example.com/1"),
    ({"type": "string", "format": "date"}, 1, "2024-01-02"),
    ({"type": "integer"}, 0, 0),
    ({"type": "integer", "minimum": 5, "maximum": 7}, 1, 6),
    ({"type": "integer", "exclusiveMinimum": 5}, 0, 6),
    ({"type": "integer", "exclusiveMaximum": 5}, 0, 4),
    ({"type": "number"}, 2, 2.0),
    ({"type": "boolean"}, 0, False),
    ({"type": "boolean"}, 1, True),
    ({"type": "null"}, 0, None),
    ({"type": ["null", "integer"]}, 1, 1),
    ({"const": "x"}, 0, "x"),
    ({"const": 0}, 3, 0),
    ({"const": None}, 0, None),
    ({"enum": ["x", "y"]}, 3, "y"),
    ({"examples": ["x"]}, 3, "x"),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1, None),
    ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, 0, 0),
    ({"$defs": {"Node": NODE}, "$ref": "#/$defs/Node"}, 0, {"n": 0}),
    ({"definitions": {"Node": NODE}, "$ref": "#/definitions/Node"}, 0, {"n": 0}),
    (
        {
            "$defs": {"Node": NODE},
            "allOf": [{"$ref": "#/$defs/Node"}, {"properties": {"m": True}, "required": ["m"]}],
        },
        0,
        {"n": 0, "m": "a"},
    ),
    (
        {"additionalProperties": NODE, "propertyNames": {"anyOf": [{"pattern": "^[0-9]$"}]}}
        | {"type": "object"},
        0,
        {"0": {"n": 0}},
    ),
    ({"type": "array"}, 0, []),
    ({"type": "array", "items": {"type": "integer"}}, 0, [0]),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, 0, []),
    (
        {"type": "array", "items": {"type": "integer"}, "minItems": 2, "uniqueItems": True},
        0,
        [0, 1],
    ),
    ({"type": "array", "prefixItems": [{"type": "null"}], "minItems": 1}, 0, [None]),
    ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]}, 0, {"a": "a"}),
    ({"type": "object", "additionalProperties": True}, 0, {"additionalProperty": "a"}),
    ({"type": "object", "additionalProperties": False}, 0, {}),
]


@pytest.mark.parametrize(("schema", "seed", "value"), SAMPLES, ids=range(len(SAMPLES)))
def test_a_schema_has_a_sample(schema: dict[str, Any], seed: int, value: Any) -> None:
    """A sample is what the schema allows, chosen by the seed."""
    assert repr(sample_of(schema, seed)) == repr(value)
    assert sample_of(schema, seed) == sample_of(schema, seed)


def test_an_unknown_type_is_refused() -> None:
    """A type that JSON schema does not know is the program's mistake."""
    with pytest.raises(UserError, match="'tuple'"):
        sample_of({"type": "tuple"})


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/a"}, {"type": []}, {"anyOf": 5}])
def test_no_schema_is_refused(schema: dict[str, Any]) -> None:
    """So is what is no JSON schema."""
    with pytest.raises(UserError, match="cannot make a value for the JSON schema"):
        sample_of(schema)
