"""JSON schemas as Gemini reads them.

It takes a subset of JSON Schema: what lies outside is said in words it does know, or
left out. Fact: https://ai.google.dev/gemini-api/docs/structured-output.
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ("google_json_schema",)

Schema: TypeAlias = dict[str, Any]

# `title` makes some models answer with the title itself; the rest is refused or unread.
_UNREAD = (
    "$schema",
    "title",
    "examples",
    "discriminator",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "const",
)

_ONE = ("additionalProperties", "items")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "patternProperties", "properties")
_UNIONS = ("allOf", "anyOf", "oneOf")

# `bool` stands before `int`, which it is one of.
_TYPES: tuple[tuple[type, str], ...] = (
    (str, "string"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (type(None), "null"),
)


def google_json_schema(schema: Schema, strict: bool | None) -> tuple[Schema, bool]:
    """Return a schema as Gemini reads it; `schema` stays as it is.

    Gemini can be held to every schema that it reads at all.
    """
    return _fitted(schema), True


def _fitted(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    fitted = {key: _walked(key, value) for key, value in schema.items() if key not in _UNREAD}
    if "const" in schema:
        fitted = _constant(schema["const"]) | fitted
    return _referring(_formatted(_folded(_unwrapped(fitted))))


def _walked(key: str, value: Any) -> Any:
    if key in _NAMED and isinstance(value, dict):
        return {name: _fitted(schema) for name, schema in value.items()}
    if key in _MANY and isinstance(value, (list, tuple)):
        return [_fitted(schema) for schema in value]
    return _fitted(value) if key in _ONE else value


def _constant(value: Any) -> Schema:
    types = (name for kind, name in _TYPES if isinstance(value, kind))
    name = next(types, None)
    return {"enum": [value]} | ({"type": name} if name else {})


def _unwrapped(schema: Schema) -> Schema:
    """Return a union of one as that one, with what stood beside it laid over."""
    if "type" in schema:
        return schema
    for union in _UNIONS:
        if isinstance(schema.get(union), list) and len(schema[union]) == 1:
            (only,) = schema[union]
            if isinstance(only, dict):
                beside = {key: value for key, value in schema.items() if key != union}
                return _unwrapped(only | beside)
    return schema


def _referring(schema: Schema) -> Schema:
    """Return a schema in which only keys that start with `$` stand beside a `$ref`.

    Others are refused there; a union of one takes them.
    """
    beside = {key: value for key, value in schema.items() if not key.startswith("$")}
    if "$ref" not in schema or not beside:
        return schema
    union = "allOf" if "anyOf" in beside else "anyOf"
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return rest | {union: [{"$ref": schema["$ref"]}, *beside.get(union, ())]}


def _folded(schema: Schema) -> Schema:
    """Return a union of described constants as one enum.

    Gemini holds itself to an enum, but not to such a union; the descriptions go into
    that of the whole.
    """
    options = schema.get("anyOf")
    if not options or "enum" in schema or not all(_is_option(each) for each in options):
        return schema
    kinds = {option.get("type") for option in options}
    if len(kinds) != 1 or schema.get("type") not in (None, *kinds):
        return schema
    whole = {key: value for key, value in schema.items() if key != "anyOf"}
    whole["enum"] = [option["enum"][0] for option in options]
    if None not in kinds:
        whole["type"] = kinds.pop()
    told = [
        f"{each['enum'][0]}: {each['description']}" for each in options if "description" in each
    ]
    if told:
        whole["description"] = "\n".join([*filter(None, [schema.get("description")]), *told])
    return whole


def _is_option(schema: Any) -> bool:
    return (
        isinstance(schema, dict)
        and len(schema.get("enum", ())) == 1
        and schema.keys() <= {"enum", "type", "description"}
    )


def _formatted(schema: Schema) -> Schema:
    """Return a string's format in words."""
    if schema.get("type") != "string" or not schema.get("format"):
        return schema
    told = schema.get("description")
    form = schema["format"]
    rest = {key: value for key, value in schema.items() if key != "format"}
    return rest | {"description": f"{told} (format: {form})" if told else f"Format: {form}"}
