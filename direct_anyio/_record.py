"""What all words share: how a record prints, and how its sequences are checked and stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import attrs

from .exceptions import UserError, shown

__all__ = ("Record", "as_dict", "as_tuple", "tuple_of")

ItemT = TypeVar("ItemT")


def as_tuple(value: Iterable[ItemT]) -> tuple[ItemT, ...]:
    """Freeze a sequence; the converter of every field that takes one."""
    return tuple(value)


def tuple_of(
    value: Iterable[ItemT], kinds: type | tuple[type, ...], wanted: str
) -> tuple[ItemT, ...]:
    """Freeze a sequence whose items are of these kinds.

    Args:
        value: The sequence.
        kinds: The kinds.
        wanted: What the field takes, for the error.

    Raises:
        UserError: It is no sequence of them.
    """
    items: tuple[Any, ...] = tuple(value) if hasattr(value, "__iter__") else (None,)
    if not all(isinstance(item, kinds) for item in items):
        raise UserError(f"{wanted}; got {shown(value)}")
    return items


def as_dict(value: dict[str, Any] | None) -> dict[str, Any]:
    """Return `value`, or an empty dict for None, which old histories hold."""
    return value or {}


def _shown(value: object) -> str:
    return repr(list(value)) if type(value) is tuple else repr(value)


class Record:
    """A frozen value that prints the way it would be written.

    Fields equal to their default are left out, and a sequence prints as the list
    that it was most likely given as.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        fields = (
            (field.alias, getattr(self, field.name), field.default)
            for field in attrs.fields(cast(Any, type(self)))
            if field.repr
        )
        shown = (f"{name}={_shown(value)}" for name, value, default in fields if value != default)
        return f"{type(self).__qualname__}({', '.join(shown)})"
