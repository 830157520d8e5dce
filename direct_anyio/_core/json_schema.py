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
    "openai_json_schema",
    "pointed",
    "walk",
    "warn_of_closed",
)

Schema: TypeAlias = dict[str, Any]
Visit: TypeAlias = Callable[[Schema], Schema]

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


def walk(schema: Schema, visit: Visit, *, inline: bool = False) -> Schema:
    """Return a copy of `schema` with `visit` applied to every schema in it, innermost first.

    Args:
        schema: The schema.
        visit: Takes a schema that is its own to change, and returns what to put there.
        inline: Whether definitions are put where they are referred to; those that hold
            themselves stay definitions.

    Raises:
        UserError: A reference points nowhere, or references expand to too much.
    """
    return _Walk(schema, visit, inline).whole()


class _Walk:
    """One walk over one schema."""

    def __init__(self, root: Schema, visit: Visit, inline: bool) -> None:
        self._root = root
        self._visit = visit
        self._inline = inline
        self._open: list[str] = []
        self._recursive: dict[str, None] = {}
        self._inlined = 0

    def whole(self) -> Schema:
        root = {key: value for key, value in self._root.items() if key != "$defs"}
        top: Schema = self._node(root)
        if self._inline:
            return self._held_by_itself(top) if self._recursive else top
        for key in ("$defs", "definitions"):
            if self._root.get(key):
                top[key] = {name: self._node(each) for name, each in self._root[key].items()}
        return top

    def _held_by_itself(self, top: Schema) -> Schema:
        defs = {name: self._definition(name) for name in self._recursive}
        root = self._root.get("$ref")
        name = _name(root) if root else self._root.get("title", "root")
        while not root and name in defs:
            name += "_root"
        return {"$defs": defs | {name: top}, "$ref": root or _DEFS + name}

    def _definition(self, name: str) -> Any:
        self._open.append(_DEFS + name)
        try:
            return self._node(self._target(_DEFS + name))
        finally:
            self._open.pop()

    def _node(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        if self._inline and "$ref" in schema and self._opens(schema["$ref"]):
            return self._expanded(schema)
        return self._visit(self._with_children(schema))

    def _opens(self, reference: str) -> bool:
        if reference in self._open:
            if not reference.startswith(_DEFS):
                raise UserError(f"The JSON schema holds itself at {reference!r}")
            self._recursive[_name(reference)] = None
        return not reference.startswith(_DEFS) or _name(reference) not in self._recursive

    def _expanded(self, schema: Schema) -> Any:
        reference = schema["$ref"]
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        target = self._target(reference)
        self._open.append(reference)
        try:
            return self._node(target | siblings if isinstance(target, dict) else target)
        finally:
            self._open.pop()

    def _target(self, reference: str) -> Any:
        try:
            return pointed(self._root, reference)
        except (LookupError, TypeError, ValueError):
            message = f"The JSON schema refers to {reference!r}, which it does not hold"
            raise UserError(message) from None

    def _with_children(self, schema: Schema) -> Schema:
        self._inlined += bool(self._open)
        if self._inlined > MAX_INLINED:
            message = f"The JSON schema's references expand to more than {MAX_INLINED} schemas"
            raise UserError(message)
        schema = dict(schema)
        kind = schema.get("type")
        for union in _UNIONS:
            if isinstance(schema.get(union), (list, tuple)) and schema[union]:
                schema[union] = [self._node(member) for member in schema[union]]
                schema = _flat(schema, union) if kind is None else schema
        for key in _SCHEMAS:
            value = schema.get(key)
            if isinstance(value, (list, tuple)):  # older drafts have one in `items`, too
                schema[key] = [self._node(each) for each in value]
            elif value:
                schema[key] = self._node(value)
        for key in _MAPS:
            if isinstance(schema.get(key), dict):
                schema[key] = {name: self._node(each) for name, each in schema[key].items()}
        return schema


def _flat(schema: Schema, union: str) -> Schema:
    """Return a schema whose union has one member without the union."""
    members = schema[union]
    if len(members) != 1 or not isinstance(members[0], dict):
        return schema
    return members[0] | {key: value for key, value in schema.items() if key != union}


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _name(reference: str) -> str:
    return _unescaped(reference.removeprefix(_DEFS))


def pointed(root: Schema, reference: str) -> Any:
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
    inlined = walk(schema, lambda each: each, inline=True)
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
    added, and what strict mode does not know is told in the description instead; of an
    object whose keys may be any this leaves nothing, which a `SchemaWarning` says. With
    None it keeps its meaning.

    Raises:
        UserError: It cannot be made to fit.
    """
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        schema = schema | {"properties": schema.get("properties", {})}  # it may have no arguments
    root = schema.get("$ref")
    fitting = _Fitting(strict, root)
    fitted = walk(schema, fitting)
    if root is not None:
        # A root that is a reference is not taken; references to it point at '#' now.
        fitted.pop("$ref", None)
        fitted.pop("anyOf", None)
        fitted |= fitted.get("$defs", {}).get(_name(root), {})
    values = list(_values(fitted))
    untyped = [place for place, _, each in values if not _is_typed(each)]
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


def _is_typed(schema: Any) -> bool:
    """Return whether a schema says what its values are, and an array what its items are."""
    if not isinstance(schema, dict) or _TYPED.isdisjoint(schema):
        return False
    return "array" not in _types(schema) or isinstance(schema.get("items"), dict)


def _types(schema: Schema) -> list[Any]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


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
            self._refer(schema)
        self._tell(schema)
        kinds = _types(schema)
        if len(kinds) > 1 and "object" in kinds and self._refuses():
            return self._split(schema)
        if "object" in kinds:
            self._close(schema)
        return schema

    def _refuses(self) -> bool:
        """Return whether something that strict mode does not know must go."""
        self.fits = self.fits and self._strict is True
        return self._strict is True

    def _refer(self, schema: Schema) -> None:
        if schema["$ref"] == self._root:
            schema["$ref"] = "#"
        elif not _DEFINITION.fullmatch(schema["$ref"]):
            self.fits = False
        if len(schema) > 1:
            # A reference may have no siblings, a union may.
            schema["anyOf"] = [{"$ref": schema.pop("$ref")}]

    def _tell(self, schema: Schema) -> None:
        """Write what strict mode does not take into the description."""
        unknown = [key for key in schema if key not in _TAKEN]
        if schema.get("format") and schema["format"] not in _FORMATS:
            unknown.append("format")
        if isinstance(schema.get("pattern"), str) and _LOOKAROUND.match(schema["pattern"]):
            unknown.append("pattern")
        if unknown and self._refuses():
            told = ", ".join(f"{key}={schema.pop(key)}" for key in unknown)
            described = schema.get("description")
            schema["description"] = f"{described} ({told})" if described else told

    def _split(self, schema: Schema) -> Schema:
        """Return a schema of several types as a union of one for each."""
        described = {"description": schema.pop("description")} if "description" in schema else {}
        members = []
        for kind in schema["type"]:
            member = {key: each for key, each in schema.items() if _OF_TYPE.get(key, kind) == kind}
            member["type"] = kind
            if kind == "object":
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
