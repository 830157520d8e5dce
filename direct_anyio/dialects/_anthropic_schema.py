"""Makes JSON schemas fit Anthropic's strict tools and structured outputs.

Nothing is lost on the way: a constraint that the provider cannot hold the model to is
written into the description, where the model may heed it. Facts: Anthropic's reference of
structured outputs, "JSON Schema limitations".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .._core.json_schema import map_schema, warn_of_closed
from ..exceptions import UserError

__all__ = ("anthropic_json_schema",)

Schema: TypeAlias = dict[str, Any]

_DROPPED = ("title", "$schema")
"""Members that tell a model nothing which its property's name does not."""

_FORMATS = frozenset(
    (
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uri",
        "uuid",
    )
)
"""The formats of strings that the provider knows."""


def anthropic_json_schema(schema: Schema, strict: bool | None) -> tuple[Schema, bool]:
    """Return a schema as Anthropic wants it, and whether the model is held to it.

    It is only if `strict` is True: what cannot be enforced would be lost silently.

    Args:
        schema: The schema of an object; it is not changed.
        strict: Whether the model must be held to it.

    Raises:
        UserError: `strict` is True, and a part of the schema does not tell its type.
    """
    plain = map_schema(schema, _plain)
    if not strict:
        return plain, False
    warn_of_closed(schema, "ask without strict: a tool without `strict`, or output mode 'prompted'")
    return _strict(plain), True


def _plain(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in _DROPPED}


def _strict(schema: Schema) -> Schema:
    """Return a schema of the members that can be enforced, the rest in its description."""
    rest = dict(schema)
    made: Schema = {}
    if "$defs" in rest:
        made["$defs"] = {name: _strict(each) for name, each in rest.pop("$defs").items()}
    if "$ref" in rest:
        return made | {"$ref": rest["$ref"]}
    made |= _shape(rest)
    description = [rest.pop("description")] if rest.get("description") is not None else []
    if rest:
        limits = ", ".join(f"{key}: {value}" for key, value in rest.items())
        description.append(f"{{{limits}}}")
    if description:
        made["description"] = "\n\n".join(description)
    return made


def _shape(rest: Schema) -> Schema:
    """Take what can be enforced out of `rest` and return it."""
    schema_type = rest.pop("type", None)
    values = _values(rest)
    if values is not None:
        return {"enum": values}
    for union, name in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if union in rest:
            return {name: [_strict(member) for member in rest.pop(union)]}
    if isinstance(schema_type, list):
        each = {key: rest.pop(key) for key in tuple(rest) if key != "description"}
        return {"anyOf": [_strict(each | {"type": one}) for one in schema_type]}
    if schema_type is None:
        raise UserError(
            "A strict schema must have 'type', 'enum', 'const', 'anyOf', 'oneOf' or 'allOf' "
            f"in each of its parts: {rest}"
        )
    shape = _BY_TYPE.get(schema_type)
    return {"type": schema_type, **(shape(rest) if shape else {})}


def _values(rest: Schema) -> list[Any] | None:
    """Take the values that are allowed out of `rest`, None where they are not simple ones."""
    if "const" in rest and _is_simple(rest["const"]):
        return [rest.pop("const")]
    if rest.get("enum") and all(map(_is_simple, rest["enum"])):
        return list(rest.pop("enum"))
    return None


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _object(rest: Schema) -> Schema:
    rest.pop("additionalProperties", None)
    members = rest.pop("properties", {})
    made: Schema = {
        "properties": {name: _strict(each) for name, each in members.items()},
        "additionalProperties": False,
    }
    if rest.get("required") is not None:
        made["required"] = list(rest.pop("required"))
    return made


def _array(rest: Schema) -> Schema:
    made: Schema = {"items": _strict(rest.pop("items"))} if "items" in rest else {}
    least = rest.pop("minItems", None)
    if least in (0, 1):
        made["minItems"] = least
    elif least is not None:
        rest["minItems"] = least
    return made


def _string(rest: Schema) -> Schema:
    return {"format": rest.pop("format")} if rest.get("format") in _FORMATS else {}


_BY_TYPE: dict[str, Callable[[Schema], Schema]] = {
    "object": _object,
    "array": _array,
    "string": _string,
}
