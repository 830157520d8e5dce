"""A value that a JSON schema allows, the same every time; as small as can be."""

from __future__ import annotations

import re
import string
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from ..exceptions import UserError
from .json_schema import resolve_pointer

__all__ = ("sample_of",)

JSONSchema = dict[str, Any]

_CHARACTERS = string.ascii_letters + string.digits + string.punctuation


_NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)

_OF_FORMAT: dict[str, Callable[[int], str]] = {
    "base64": lambda seed: b64encode(bytes([seed % 256])).decode(),
    "date": lambda seed: (_NEW_YEAR + timedelta(days=seed)).date().isoformat(),
    "date-time": lambda seed: (_NEW_YEAR + timedelta(seconds=seed)).isoformat(),
    "duration": lambda seed: f"PT{seed}S",
    "email": lambda seed: f"a{seed}@example.com",
    "ipv4": lambda seed: str(IPv4Address(seed)),
    "ipv4interface": lambda seed: f"{IPv4Address(seed)}/32",
    "ipv4network": lambda seed: f"{IPv4Address(seed)}/32",
    "ipv6": lambda seed: str(IPv6Address(seed)),
    "ipv6interface": lambda seed: f"{IPv6Address(seed)}/128",
    "ipv6network": lambda seed: f"{IPv6Address(seed)}/128",
    "ipvanyaddress": lambda seed: str(IPv4Address(seed)),
    "json-string": lambda seed: str(seed),
    "time": lambda seed: (_NEW_YEAR + timedelta(seconds=seed)).time().isoformat(),
    "uri": lambda seed: f"https://example.com/{seed}",
    "uuid": lambda seed: str(UUID(int=seed)),
    "uuid4": lambda seed: str(UUID(int=seed, version=4)),
}


def sample_of(schema: JSONSchema, seed: int = 0) -> Any:
    """Return a value for `schema`.

    Args:
        schema: A JSON schema.
        seed: Chooses among what the schema allows.

    Raises:
        UserError: The schema has a type that JSON schema does not know, holds itself without
            end, or is none.
    """
    try:
        return _Sampler(schema, seed).of(schema)
    except UserError:
        raise
    except _Endless as exc:
        raise UserError(
            f"TestModel cannot make a value that holds itself without end: {exc}"
        ) from exc
    except Exception as exc:  # a keyword's value may be anything
        raise UserError(
            f"TestModel cannot make a value for the JSON schema: {type(exc).__name__}: {exc}"
        ) from exc


class _Endless(Exception):
    """A definition is wanted inside of itself."""


class _Sampler:
    def __init__(self, root: JSONSchema, seed: int) -> None:
        self._root = root
        self._seed = seed
        self._open: list[str] = []

    def of(self, schema: JSONSchema | bool) -> Any:
        if isinstance(schema, bool):
            schema = {}
        if "const" in schema:
            return schema["const"]
        for key in ("enum", "examples"):
            if schema.get(key):
                return schema[key][self._seed % len(schema[key])]
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference in self._open:
                raise _Endless(reference)
            self._open.append(reference)
            try:
                return self.of(resolve_pointer(self._root, reference))
            finally:
                self._open.pop()
        if schema.get("allOf"):
            return self.of(self._merged(schema))
        for union in ("anyOf", "oneOf"):
            if schema.get(union):
                return self._one_of(schema, union)
        return self._of_type(schema)

    def _merged(self, schema: JSONSchema) -> JSONSchema:
        """Return a schema with all that its `allOf` demands."""
        made = {key: value for key, value in schema.items() if key != "allOf"}
        for member in schema["allOf"]:
            each = resolve_pointer(self._root, member["$ref"]) if "$ref" in member else member
            properties = made.get("properties", {}) | each.get("properties", {})
            required = [*made.get("required", ()), *each.get("required", ())]
            made |= each | {"properties": properties, "required": required}
        return made

    def _one_of(self, schema: JSONSchema, union: str) -> Any:
        members, first = schema[union], self._seed % len(schema[union])
        beside = {key: value for key, value in schema.items() if key != union}
        for number, member in enumerate([*members[first:], *members[:first]], 1):
            try:
                return self.of(beside | member)
            except _Endless:
                if number == len(members):
                    raise

    def _of_type(self, schema: JSONSchema) -> Any:
        schema_type = schema.get("type")
        if isinstance(schema_type, list):
            schema_type = schema_type[self._seed % len(schema_type)]
        makers: dict[Any, Callable[[JSONSchema], Any]] = {
            None: lambda _: self._character(),
            "array": self._array,
            "boolean": lambda _: bool(self._seed % 2),
            "integer": self._integer,
            "null": lambda _: None,
            "number": lambda schema: float(self._integer(schema)),
            "object": self._object,
            "string": self._string,
        }
        if schema_type not in makers:
            raise UserError(f"TestModel cannot make a value of JSON schema type {schema_type!r}")
        return makers[schema_type](schema)

    def _object(self, schema: JSONSchema) -> dict[str, Any]:
        required = schema.get("required", ())
        properties = schema.get("properties", {}).items()
        value = {key: self.of(each) for key, each in properties if key in required}
        more = schema.get("additionalProperties")
        if more:
            named = schema.get("propertyNames", {"const": "additionalProperty"})
            key = str(self.of({"type": "string"} | named))
            while key in value:
                key += "_"
            with suppress(_Endless):
                value[key] = self._character() if more is True else self.of(more)
        return value

    def _array(self, schema: JSONSchema) -> list[Any]:
        prefix = schema.get("prefixItems", ())
        value = [self._item(each, schema) for each in prefix]
        items = schema.get("items", {})
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if least > len(value):
            wanted = least - len(value)
        else:
            wanted = int(bool(items) and (most is None or most > len(value)))
        try:
            return value + [self._item(items, schema) for _ in range(wanted)]
        except _Endless:
            if least > len(value):
                raise
            return value

    def _item(self, schema: JSONSchema, array: JSONSchema) -> Any:
        value = self.of(schema)
        if array.get("uniqueItems"):
            self._seed += 1
        return value

    def _string(self, schema: JSONSchema) -> str:
        make = _OF_FORMAT.get(schema.get("format", ""))
        if make is None:
            count = schema.get("minLength", 1)
            text = (self._character() * int(count))[: schema.get("maxLength")]
        else:
            text = make(self._seed)
        with suppress(re.error):  # a pattern may be of another language
            if not re.search(schema.get("pattern", ""), text):
                return str(self._seed)  # one of numbers, perhaps
        return text

    def _integer(self, schema: JSONSchema) -> int:
        least, most = schema.get("minimum"), schema.get("maximum")
        if least is None and schema.get("exclusiveMinimum") is not None:
            least = schema["exclusiveMinimum"] + 1
        if most is None and schema.get("exclusiveMaximum") is not None:
            most = schema["exclusiveMaximum"] - 1
        if (step := schema.get("multipleOf")) and least is not None:
            return int(-(-least // step) * step)
        if least is not None:
            span = self._seed if most is None else self._seed % max(1, most - least)
            return int(least + span)
        return int(self._seed if most is None else most - self._seed)

    def _character(self) -> str:
        """Return the seed in letters, counted as a spreadsheet counts its columns."""
        count = len(_CHARACTERS)
        text, rest = "", self._seed // count
        while rest > 0:
            text += _CHARACTERS[(rest - 1) % count]
            rest //= count
        return text + _CHARACTERS[self._seed % count]
