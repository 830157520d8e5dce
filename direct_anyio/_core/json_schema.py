"""JSON schemas as models want them: pure functions from a schema to a schema.

Each has the signature of `profiles.JsonSchemaTransform`. None changes what it is given.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ..exceptions import SchemaWarning, UserError, printable

__all__ = (
    "OPENAI_NAMES",
    "checked_name",
    "fits_as_name",
    "inlined_defs",
    "map_schema",
    "openai_json_schema",
    "resolve_pointer",
    "warn_of_closed",
)

Schema: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[Schema], Schema]

MAX_INLINED = 250_000
"""The most schemas that references may expand to."""

_DEFS = "#/$defs/"
_UNIONS = ("allOf", "anyOf", "oneOf")

# Where schemas are inside of a schema: one, or a list of them; and some that have names.
_SCHEMAS = (
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_MAPS = ("dependentSchemas", "patternProperties", "properties")


def map_schema(schema: Schema, change: Change, *, inline: bool = False) -> Schema:
    """Return a copy of `schema` with `change` applied to every schema in it, innermost first.

    Args:
        schema: The schema.
        change: Takes a schema that it may modify, and returns what to put there.
        inline: Whether definitions are put where they are referred to; recursive ones stay
            definitions.

    Raises:
        UserError: A reference points nowhere, or references expand to too much.
    """
    return _Mapper(schema, change, inline).whole()


class _Mapper:
    """The state of one `map_schema`."""

    def __init__(self, root: Schema, change: Change, inline: bool) -> None:
        self._root = root
        self._change = change
        self._inline = inline
        self._open: list[str] = []
        self._recursive: dict[str, None] = {}
        self._inlined = 0

    def whole(self) -> Schema:
        root = {key: value for key, value in self._root.items() if key != "$defs"}
        top: Schema = self._mapped(root)
        if not self._inline:
            for key in ("$defs", "definitions"):
                if self._root.get(key):
                    top[key] = {name: self._mapped(each) for name, each in self._root[key].items()}
            return top
        if not self._recursive:
            return top
        defs = {name: self._target(_DEFS + name) for name in self._recursive}
        reference = self._root.get("$ref")
        name = _name(reference) if reference else self._root.get("title", "root")
        while not reference and name in defs:
            name += "_root"
        return {"$defs": defs | {name: top}, "$ref": reference or _DEFS + name}

    def _mapped(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        if self._inline and "$ref" in schema:
            reference = schema["$ref"]
            if reference in self._open:
                if not reference.startswith(_DEFS):
                    raise UserError(f"The JSON schema holds itself at {reference!r}")
                self._recursive[_name(reference)] = None
            if not reference.startswith(_DEFS) or _name(reference) not in self._recursive:
                siblings = {key: value for key, value in schema.items() if key != "$ref"}
                return self._target(reference, siblings)
        self._inlined += bool(self._open)
        if self._inlined > MAX_INLINED:
            message = f"The JSON schema's references expand to more than {MAX_INLINED} schemas"
            raise UserError(message)
        schema = dict(schema)
        has_type = schema.get("type") is not None
        for union in _UNIONS:
            members = schema.get(union)
            if isinstance(members, (list, tuple)) and members:
                members = schema[union] = [self._mapped(member) for member in members]
                if not has_type and len(members) == 1 and isinstance(members[0], dict):
                    del schema[union]
                    schema = members[0] | schema
        for key in _SCHEMAS:
            value = schema.get(key)
            if isinstance(value, (list, tuple)):  # older drafts have one in `items`, too
                schema[key] = [self._mapped(each) for each in value]
            elif value:
                schema[key] = self._mapped(value)
        for key in _MAPS:
            if isinstance(schema.get(key), dict):
                schema[key] = {name: self._mapped(each) for name, each in schema[key].items()}
        return self._change(schema)

    def _target(self, reference: str, siblings: Schema | None = None) -> Any:
        """Return what a reference points at, mapped, with what stands beside the reference."""
        try:
            target = resolve_pointer(self._root, reference)
        except (LookupError, TypeError, ValueError):
            message = f"The JSON schema refers to {reference!r}, which it does not hold"
            raise UserError(message) from None
        if siblings and isinstance(target, dict):
            target = target | siblings
        self._open.append(reference)
        try:
            return self._mapped(target)
        finally:
            self._open.pop()


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _name(reference: str) -> str:
    return _unescaped(reference.removeprefix(_DEFS))


def resolve_pointer(root: Schema, reference: str) -> Any:
    """Return what a local JSON pointer (RFC 6901) points at."""
    start, *tokens = reference.split("/")
    if start != "#":
        raise ValueError(reference)
    node: Any = root
    for token in map(_unescaped, tokens):
        node = node[int(token)] if isinstance(node, list) else node[token]
    return node


def inlined_defs(schema: Schema, strict: bool | None) -> tuple[Schema, bool]:
    """Return a schema without references, for models that do not see definitions."""
    inlined = map_schema(schema, lambda each: each, inline=True)
    return inlined, openai_json_schema(inlined, None)[1]


# What OpenAI's strict mode takes; https://platform.openai.com/docs/guides/structured-outputs
_TAKEN = frozenset(
    (
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "definitions",
        "description",
        "enum",
        "examples",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
        "type",
    )
)
_OF_TYPE = {
    **dict.fromkeys(("additionalProperties", "properties", "required"), "object"),
    **dict.fromkeys(("items", "maxItems", "minItems"), "array"),
}
_UNREAD = ("title", "$schema", "discriminator")
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_TYPED = frozenset(("type", "$ref", "anyOf", "enum", "const"))
_LOOKAROUND = re.compile(r"(?:[^\\]|\\.)*?\(\?<?[=!]", re.DOTALL)
_DEFINITION = re.compile(r"#(/(\$defs|definitions)/[^/]+)?")

OPENAI_NAMES = "[a-zA-Z0-9_-]{1,64}"
"""The names of tools and schemas that OpenAI takes."""

MAX_STRICT_DEPTH = 10
MAX_STRICT_PROPERTIES = 5000


def fits_as_name(name: str | None) -> bool:
    """Return whether strict mode takes the name of a tool or a schema, None for a name of ours."""
    return name is None or re.fullmatch(OPENAI_NAMES, name) is not None


def checked_name(name: str, pattern: str | None) -> str:
    """Return the name of a tool or a schema.

    Args:
        name: The name.
        pattern: What the provider takes, None for any name.

    Raises:
        UserError: The provider does not take it.
    """
    if pattern and not re.fullmatch(pattern, name):
        raise UserError(
            f"The provider takes no tool or schema of the name {printable(repr(name), 100)}, but "
            f"names like {pattern}: give it another with `name=`, or let the model's profile have "
            "another `tool_name_pattern`."
        )
    return name


def openai_json_schema(schema: Schema, strict: bool | None) -> tuple[Schema, bool]:
    """Return a schema for OpenAI, and whether strict mode can take it.

    With `strict=True` it is made to fit: all properties are required, none may be
    added, and what strict mode does not know is said in the description instead. Of an object with
    any keys this leaves nothing, which a `SchemaWarning` says. With None the schema keeps its
    meaning.

    Raises:
        UserError: It cannot be made to fit.
    """
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        schema = schema | {"properties": schema.get("properties", {})}  # it may have no arguments
    root = schema.get("$ref")
    fitting = _Fitting(strict, root)
    fitted = map_schema(schema, fitting)
    if root is not None:
        # A root that is a reference is not taken; references to it point at '#' now.
        fitted.pop("$ref", None)
        fitted.pop("anyOf", None)
        fitted |= fitted.get("$defs", {}).get(_name(root), {})
    values = list(_values(fitted))
    untyped = [
        place
        for place, _, each in values
        # A schema says what its values are, and an array what its items are.
        if not isinstance(each, dict)
        or _TYPED.isdisjoint(each)
        or ("array" in _types(each) and not isinstance(each.get("items"), dict))
    ]
    if strict:
        if untyped:
            raise UserError(
                f"Strict mode needs a type for {untyped[0]}, an array one for all its items: "
                "annotate it, or set `strict=False`."
            )
        warn_of_closed(schema, "set `strict=False`")
    is_object = fitted.keys().isdisjoint(("anyOf", "enum", "const"))
    objects = [
        (depth, each["properties"])
        for _, depth, each in values
        if isinstance(each, dict) and isinstance(each.get("properties"), dict)
    ]
    is_small = (
        all(depth < MAX_STRICT_DEPTH for depth, _ in objects)
        and sum(len(properties) for _, properties in objects) <= MAX_STRICT_PROPERTIES
    )
    return fitted, fitting.fits and is_object and not untyped and is_small


def _types(schema: Schema) -> list[Any]:
    types = schema.get("type")
    return types if isinstance(types, list) else [types]


def _values(schema: Any, place: str = "$", depth: int = 0) -> Iterator[tuple[str, int, Any]]:
    """Yield place, number of objects around it and schema of each value that a schema describes."""
    yield place, depth, schema
    if not isinstance(schema, dict):
        return
    for key, before, inner in (
        ("properties", f"{place}.", depth + 1),
        ("$defs", "", 0),
        ("definitions", "", 0),
    ):
        if isinstance(schema.get(key), dict):
            for name, each in schema[key].items():
                yield from _values(each, f"{before}{name}", inner)
    if isinstance(schema.get("items"), dict):
        yield from _values(schema["items"], f"{place}[]", depth)
    for union in _UNIONS:
        if isinstance(schema.get(union), list):
            for each in schema[union]:
                yield from _values(each, place, depth)


def warn_of_closed(schema: Schema, instead: str) -> None:
    """Warn of the objects in a schema that may have any keys, which no strict schema allows.

    Args:
        schema: The schema before it is closed.
        instead: What else the program can do.
    """
    for place, _, each in _values(schema):
        if not isinstance(each, dict) or "object" not in _types(each):
            continue
        open_ended = each.get("additionalProperties", False) is not False
        if open_ended or each.get("patternProperties"):
            left = "has no keys but those of its schema" if each.get("properties") else "is {}"
        elif "properties" not in each and "additionalProperties" not in each:
            left = "is {}"
        else:
            continue
        warnings.warn(
            f"{place} may have any keys, which a strict schema cannot say: it always {left}. "
            f"Use a list of objects with a key and a value, or {instead}.",
            SchemaWarning,
            stacklevel=2,
        )


class _Fitting:
    """Fits schemas to strict mode, and remembers whether all of them do."""

    def __init__(self, strict: bool | None, root: str | None) -> None:
        self._strict = strict
        self._root = root
        self.fits = True

    def __call__(self, schema: Schema) -> Schema:
        for key in _UNREAD:
            schema.pop(key, None)
        if "default" in schema and self._refuses():
            del schema["default"]
        if "oneOf" in schema and self._refuses():
            schema["anyOf"] = schema.pop("oneOf")
        if "$ref" in schema:
            if schema["$ref"] == self._root:
                schema["$ref"] = "#"
            elif not _DEFINITION.fullmatch(schema["$ref"]):
                self.fits = False
            if len(schema) > 1:
                # A reference may have no siblings, a union may.
                schema["anyOf"] = [{"$ref": schema.pop("$ref")}]
        # What strict mode does not take goes into the description.
        unknown = [key for key in schema if key not in _TAKEN]
        if schema.get("format") and schema["format"] not in _FORMATS:
            unknown.append("format")
        if isinstance(schema.get("pattern"), str) and _LOOKAROUND.match(schema["pattern"]):
            unknown.append("pattern")
        if unknown and self._refuses():
            limits = ", ".join(f"{key}={schema.pop(key)}" for key in unknown)
            described = schema.get("description")
            schema["description"] = f"{described} ({limits})" if described else limits
        types = _types(schema)
        if len(types) > 1 and "object" in types and self._refuses():
            return self._split(schema)
        if "object" in types:
            self._close(schema)
        return schema

    def _refuses(self) -> bool:
        """Return whether something that strict mode does not know must go."""
        self.fits = self.fits and self._strict is True
        return self._strict is True

    def _split(self, schema: Schema) -> Schema:
        """Return a schema of several types as a union of one for each."""
        described = {"description": schema.pop("description")} if "description" in schema else {}
        members = []
        for type in schema["type"]:
            member = {key: each for key, each in schema.items() if _OF_TYPE.get(key, type) == type}
            member["type"] = type
            if type == "object":
                self._close(member)
            members.append(member)
        return {"anyOf": members} | described

    def _close(self, schema: Schema) -> None:
        is_open = "properties" not in schema and "additionalProperties" not in schema
        properties = schema.setdefault("properties", {})
        if self._strict is True:
            schema |= {"additionalProperties": False, "required": list(properties)}
        elif self._strict is None:
            if is_open or schema.get("additionalProperties") not in (None, False):
                self.fits = False
            else:
                schema["additionalProperties"] = False
            required = schema.get("required")
            self.fits = self.fits and required is not None and set(properties) <= set(required)
