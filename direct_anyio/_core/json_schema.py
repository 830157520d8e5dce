"""JSON schemas as models want them: pure functions from a schema to a schema.

Each has the signature of `profiles.JsonSchemaTransform`. None changes what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ..exceptions import UserError

__all__ = ("inlined_defs", "openai_json_schema", "walk")

Schema: TypeAlias = dict[str, Any]
Visit: TypeAlias = Callable[[Schema], Schema]
_Table: TypeAlias = dict[str, tuple[str, ...]]

MAX_INLINED = 250_000
"""The most schemas that references may expand to."""

_DEFS = "#/$defs/"
_UNIONS = ("allOf", "anyOf", "oneOf")

# Where schemas are inside a schema of each type.
_ONE: _Table = {"object": ("additionalProperties",), "array": ("items", "contains")}
_LISTS: _Table = {"array": ("prefixItems",)}
_MAPS: _Table = {"object": ("properties", "patternProperties")}


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
            return _pointed(self._root, reference)
        except (LookupError, TypeError, ValueError):
            message = f"The JSON schema refers to {reference!r}, which it does not hold"
            raise UserError(message) from None

    def _with_children(self, schema: Schema) -> Schema:
        self._count()
        schema = dict(schema)
        kind = schema.get("type")
        for union in _UNIONS:
            if schema.get(union):
                schema[union] = [self._node(member) for member in schema[union]]
                schema = _flat(schema, union) if kind is None else schema
        if not isinstance(kind, str):
            return schema
        for key in _present(_ONE, kind, schema):
            schema[key] = self._one(schema[key])
        for key in _present(_LISTS, kind, schema):
            schema[key] = [self._node(each) for each in schema[key]]
        for key in _present(_MAPS, kind, schema):
            schema[key] = {name: self._node(each) for name, each in schema[key].items()}
        return schema

    def _one(self, value: Any) -> Any:
        # Older drafts have a list of schemas in `items`.
        return (
            [self._node(each) for each in value] if isinstance(value, list) else self._node(value)
        )

    def _count(self) -> None:
        self._inlined += bool(self._open)
        if self._inlined > MAX_INLINED:
            raise UserError(
                f"The JSON schema's references expand to more than {MAX_INLINED} schemas"
            )


def _present(table: _Table, kind: str, schema: Schema) -> Iterator[str]:
    return (key for key in table.get(kind, ()) if schema.get(key))


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


def _pointed(root: Schema, reference: str) -> Any:
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
    return walk(schema, lambda each: each, inline=True), True


# What OpenAI's strict mode refuses; https://platform.openai.com/docs/guides/structured-outputs
_REFUSED = (
    "minLength",
    "maxLength",
    "patternProperties",
    "unevaluatedProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
)
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_TYPED = frozenset(("type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"))
_LOOKAROUND = re.compile(r"(?:[^\\]|\\.)*?\(\?<?[=!]", re.DOTALL)
_DEFINITION = re.compile(r"#(/(\$defs|definitions)/[^/]+)?")

MAX_STRICT_DEPTH = 10
MAX_STRICT_PROPERTIES = 5000


def openai_json_schema(schema: Schema, strict: bool | None) -> tuple[Schema, bool]:
    """Return a schema for OpenAI, and whether strict mode can take it.

    With `strict=True` it is made to fit: all properties are required, none may be
    added, and what strict mode does not know is told in the description instead. With
    None it keeps its meaning.

    Raises:
        UserError: It cannot be made to fit.
    """
    root = schema.get("$ref")
    fitting = _Fitting(strict, root)
    fitted = walk(schema, fitting)
    if root is not None:
        # A root that is a reference is not taken; references to it point at '#' now.
        fitted.pop("$ref", None)
        fitted.pop("anyOf", None)
        fitted |= fitted.get("$defs", {}).get(_name(root), {})
    return fitted, fitting.fits and not _is_too_big(fitted)


class _Fitting:
    """Fits schemas to strict mode, and remembers whether all of them do."""

    def __init__(self, strict: bool | None, root: str | None) -> None:
        self._strict = strict
        self._root = root
        self.fits = True

    def __call__(self, schema: Schema) -> Schema:
        for key in ("title", "$schema", "discriminator"):
            schema.pop(key, None)
        if "default" in schema and self._refuses():
            del schema["default"]
        if "$ref" in schema:
            self._refer(schema)
        self._constrain(schema)
        if "oneOf" in schema and self._refuses():
            schema["anyOf"] = schema.pop("oneOf")
        if schema.get("type") == "object":
            self._close(schema)
        elif schema.get("type") == "array":
            self._check_items(schema)
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

    def _constrain(self, schema: Schema) -> None:
        unknown = {key: schema[key] for key in _REFUSED if key in schema}
        if schema.get("format") and schema["format"] not in _FORMATS:
            unknown["format"] = schema["format"]
        if isinstance(schema.get("pattern"), str) and _LOOKAROUND.match(schema["pattern"]):
            unknown["pattern"] = schema["pattern"]
        if unknown and self._refuses():
            told = ", ".join(f"{key}={schema.pop(key)}" for key in unknown)
            described = schema.get("description")
            schema["description"] = f"{described} ({told})" if described else told

    def _close(self, schema: Schema) -> None:
        properties = schema.setdefault("properties", {})
        if self._strict is True:
            schema |= {"additionalProperties": False, "required": list(properties)}
        elif self._strict is None:
            if schema.get("additionalProperties") not in (None, False):
                self.fits = False
            else:
                schema["additionalProperties"] = False
            required = schema.get("required")
            self.fits = self.fits and required is not None and set(properties) <= set(required)

    def _check_items(self, schema: Schema) -> None:
        items = schema.get("items")
        if isinstance(items, dict) and not _TYPED.isdisjoint(items):
            return
        if self._strict is True:
            raise UserError(
                "Strict mode needs one type for all items of an array: "
                "give `items` one, or set `strict=False`."
            )
        self.fits = False


def _is_too_big(schema: Schema) -> bool:
    """Return whether strict mode would refuse a schema, or a definition in it, for its size."""
    parts = [schema, *schema.get("$defs", {}).values(), *schema.get("definitions", {}).values()]
    return any(
        max((depth for depth, _ in sizes), default=0) > MAX_STRICT_DEPTH
        or sum(count for _, count in sizes) > MAX_STRICT_PROPERTIES
        for sizes in (list(_sizes(part, 1)) for part in parts)
    )


def _sizes(schema: Any, depth: int) -> Iterator[tuple[int, int]]:
    """Yield depth and number of properties of each object in a schema."""
    if not isinstance(schema, dict):
        return
    inner = [schema.get("items"), *schema.get("anyOf", ())]
    if isinstance(schema.get("properties"), dict):
        yield depth, len(schema["properties"])
        inner.extend(schema["properties"].values())
        depth += 1
    for each in inner:
        yield from _sizes(each, depth)
