"""What all records share: how a record prints, and how its sequences are checked and stored."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NoReturn, TypeVar, cast

import attrs

from .exceptions import UserError, shown

__all__ = ("Record", "as_dict", "public", "tuple_of")

ItemT = TypeVar("ItemT")


class _Frozen(tuple[ItemT, ...]):
    """The items of a record; iterating over it is an error that says so."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        hint = f"{type(self).__name__!r} object has no attribute {name!r}"
        if hasattr(list, name):
            hint = (
                f"A record does not change, so there is no `{name}` here: make another one, such "
                "as `attrs.evolve(message, parts=[*message.parts, part])`"
            )
        raise AttributeError(hint)


def tuple_of(
    value: Iterable[ItemT], classes: type | tuple[type, ...], wanted: str
) -> tuple[ItemT, ...]:
    """Freeze a sequence whose items are of these kinds.

    Args:
        value: The sequence.
        classes: The classes.
        wanted: What the field takes, for the error.

    Raises:
        UserError: It is no sequence of them.
    """
    items: tuple[Any, ...] = _Frozen(value) if hasattr(value, "__iter__") else (None,)
    if not all(isinstance(item, classes) for item in items):
        raise UserError(f"{wanted}; got {shown(value)}")
    return items


def as_dict(value: dict[str, Any] | None) -> dict[str, Any]:
    """Return `value`, or an empty dict for None, which old histories hold."""
    return value or {}


def _shown(value: object) -> str:
    return repr(list(value)) if isinstance(value, tuple) else repr(value)


class Record:
    """A frozen value that prints the way it would be written.

    Fields equal to their default are left out, and a sequence prints as the list
    that it was most likely given as.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return how pydantic, which alone calls this, reads and writes a field of this class."""
        from ._pydantic import core_schema_of

        return core_schema_of(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Return the JSON schema of a field of this class, for pydantic, which alone calls this."""
        from ._pydantic import json_schema_of

        return json_schema_of(cls)

    @property
    def __pydantic_serializer__(self) -> Any:
        """What pydantic, which alone asks, writes this with where it expects no record."""
        from ._pydantic import serializer_of

        return serializer_of(cast(Any, type(self)))

    def __repr__(self) -> str:
        fields = (
            (field.alias, getattr(self, field.name), field.default)
            for field in attrs.fields(cast(Any, type(self)))
            if field.repr
        )
        shown = (f"{name}={_shown(value)}" for name, value, default in fields if value != default)
        return f"{type(self).__qualname__}({', '.join(shown)})"


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.alias for field in attrs.fields(cast(Any, cls)))


def public(record: Record) -> dict[str, Any]:
    """Return a record's fields by name, with what it computes where a field was not given."""
    done: dict[str, Any] = {}
    for name in _names(cast(Any, type(record))):
        try:
            done[name] = getattr(record, name)
        except ValueError:  # a type that the URL does not tell, or a URL that is no UTF-8
            done[name] = None
    return done
