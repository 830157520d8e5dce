"""The plain fields of stored records: each reader gives the value that fits, or raises `Misfit`.

The second argument of a reader is the field's type, which cattrs passes.
"""

from __future__ import annotations

from binascii import a2b_base64
from datetime import UTC, datetime
from typing import Any, get_args

from .shapes import Reader
from .trees import Misfit, at, refuse, shown

__all__ = (
    "count",
    "counts",
    "data",
    "flag",
    "maybe_moment",
    "maybe_text",
    "moment",
    "one_of",
    "text",
    "written_moment",
)


def text(value: Any, _: Any = None) -> str:
    """Read text."""
    return value if isinstance(value, str) else refuse("text", value)


def maybe_text(value: Any, _: Any) -> str | None:
    """Read text or null."""
    return value if value is None or isinstance(value, str) else refuse("text or null", value)


def flag(value: Any, _: Any) -> bool:
    """Read true or false."""
    # 'allow-local' is pydantic-ai's way to say: download, from private addresses too.
    return value if isinstance(value, bool) else value == "allow-local" or refuse("a bool", value)


def count(value: Any, _: Any = None) -> int:
    """Read a whole number; 2.0 is one."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    refuse("a whole number", value)


def moment(value: Any, _: Any) -> datetime:
    """Read a time in ISO 8601; a `datetime` stays itself."""
    try:
        return datetime.fromisoformat(value)
    except ValueError as exc:
        raise Misfit(f"must be a time in ISO 8601: {exc}") from None
    except TypeError:
        return value if isinstance(value, datetime) else refuse("a time in ISO 8601", value)


_STANDARD = str.maketrans("-_", "+/")


def data(value: Any, _: Any = None) -> bytes:
    """Read base64, URL-safe or standard, padded or not; bytes stay themselves."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    plain = text(value).translate(_STANDARD)
    try:
        return a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
    except ValueError as exc:
        raise Misfit(f"must be base64: {exc}") from None


def one_of(kind: Any, *more: None) -> Reader:
    """Return a reader of the values of a `Literal`, and of `more`."""
    names = get_args(kind)
    values = frozenset((*names, *more))

    def read(value: Any, _: Any) -> Any:
        try:
            if value in values:
                return value
        except TypeError:  # a list or an object
            pass
        raise Misfit(f"must be one of {', '.join(map(repr, names))}")

    return read


def maybe_moment(value: Any, _: Any) -> datetime | None:
    """Read a time or null."""
    return None if value is None else moment(value, None)


def counts(value: Any, _: Any) -> dict[str, int]:
    """Read whole numbers by name; null, as old histories hold it, is none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        refuse("an object", value)
    if set(map(type, value.values())) <= {int}:
        return dict(value)
    return {key: at(f"[{shown(key)}]", count, number) for key, number in value.items()}


def written_moment(value: datetime) -> datetime:
    """Return the moment with an offset in whole minutes, all that some JSON writers know."""
    offset = None if value.tzinfo is UTC else value.utcoffset()
    if not offset or offset.total_seconds() % 60 == 0:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Misfit("is a time that UTC cannot hold") from None
