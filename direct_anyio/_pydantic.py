"""Records as fields of pydantic's models, and as types that FastAPI takes and returns.

They are read and written as in a stored history, by the same code. Imported by pydantic's call
alone, so that the library needs no pydantic.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic_core import SchemaSerializer, core_schema

from ._json import mended, parse, serialize
from ._record import Record
from ._stored import STORED, UNIONS
from ._validation import ValidationError
from ._values import default
from .exceptions import UserError
from .history import read

__all__ = ("core_schema_of", "json_schema_of", "serializer_of")


def core_schema_of(cls: type[Record]) -> core_schema.CoreSchema:
    """Return how a record of a class is validated and serialized."""
    tag, names = _tags(cls)

    def validated(value: Any) -> Any:
        if isinstance(value, dict) and tag in value and value[tag] not in names:
            raise ValueError(f"{cls.__name__}.{tag}: must be {' or '.join(map(repr, names))}")
        try:
            return read(value, cls, cls.__name__)
        except UserError as exc:
            raise ValueError(exc.message) from None

    validated.__name__ = cls.__name__  # what pydantic's errors call it
    return core_schema.no_info_plain_validator_function(
        validated,
        serialization=core_schema.plain_serializer_function_ser_schema(serialized, info_arg=True),
    )


@cache
def serializer_of(cls: type[Record]) -> SchemaSerializer:
    """Return what writes a record of a class."""
    return SchemaSerializer(core_schema_of(cls))


def json_schema_of(cls: type[Record]) -> dict[str, Any]:
    """Return the JSON schema of a class: an object, of what kind where it has one."""
    tag, names = _tags(cls)
    schema: dict[str, Any] = {"type": "object", "title": cls.__name__}
    return schema | ({"properties": {tag: {"enum": names}}} if names else {})


def _tags(cls: type[Record]) -> tuple[str, list[str]]:
    """Return the field that tells a class from others, and its values."""
    for union in UNIONS.values():
        names = [name for name, member in union.classes.items() if member is cls]
        if names:
            return union.tag, names
    return "", []


def serialized(value: Any, info: core_schema.SerializationInfo) -> Any:
    """Return a record as pydantic serializes it."""
    if not isinstance(value, Record):
        return value
    try:
        tree = STORED.member(value)
    except ValidationError as invalid:
        raise UserError(invalid.message(type(value).__name__)) from None
    # pydantic writes no lone surrogates.
    return mended(parse(serialize(tree, default))) if info.mode == "json" else tree
