"""What all words share: how a record prints, and how its sequences are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import attrs

__all__ = ("Record", "as_dict", "as_tuple")

ItemT = TypeVar("ItemT")


def as_tuple(value: Iterable[ItemT]) -> tuple[ItemT, ...]:
    """Freeze a sequence; the converter of every field that takes one."""
    return tuple(value)


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
