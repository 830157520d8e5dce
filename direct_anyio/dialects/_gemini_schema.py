"""JSON schemas as Gemini reads them.

It takes a subset of JSON Schema: what lies outside is said in words it does know, or
left out. Fact: https://ai.google.dev/gemini-api/docs/structured-output.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from .._core.json_schema import map_schema

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
    return map_schema(schema, _fitted), True


def _fitted(schema: Schema) -> Schema:
    fitted = {key: value for key, value in schema.items() if key not in _UNREAD}
    if "const" in schema:
        value = schema["const"]
        types = [{"type": name} for cls, name in _TYPES if isinstance(value, cls)]
        fitted = {"enum": [value], **(types[0] if types else {}), **fitted}
    fitted = _folded(fitted)
    if fitted.get("type") == "string" and fitted.get("format"):
        # In words.
        text, form = fitted.get("description"), fitted.pop("format")
        fitted["description"] = f"{text} (format: {form})" if text else f"Format: {form}"
    beside = {key: value for key, value in fitted.items() if not key.startswith("$")}
    if "$ref" in fitted and beside:
        # Beside a `$ref` only keys are taken that start with `$`; a union of one takes others.
        union = "allOf" if "anyOf" in beside else "anyOf"
        fitted[union] = [{"$ref": fitted.pop("$ref")}, *beside.get(union, ())]
    return fitted


def _folded(schema: Schema) -> Schema:
    """Return a union of described constants as one enum.

    Gemini holds itself to an enum, but not to such a union; the descriptions go into
    that of the whole.
    """
    options = schema.get("anyOf")
    if not options or "enum" in schema:
        return schema
    for option in options:
        is_constant = isinstance(option, dict) and len(option.get("enum", ())) == 1
        if not is_constant or not option.keys() <= {"enum", "type", "description"}:
            return schema
    types = {option.get("type") for option in options}
    if len(types) != 1 or schema.get("type") not in (None, *types):
        return schema
    whole = {key: value for key, value in schema.items() if key != "anyOf"}
    whole["enum"] = [option["enum"][0] for option in options]
    if None not in types:
        whole["type"] = types.pop()
    notes = [
        f"{each['enum'][0]}: {each['description']}" for each in options if "description" in each
    ]
    if notes:
        whole["description"] = "\n".join([*filter(None, [schema.get("description")]), *notes])
    return whole
