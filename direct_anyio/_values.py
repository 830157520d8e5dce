"""Conversion of any value to JSON, for all that leaves the program.

Tool results, call arguments, retry prompts and schemas are written by `Values` as it is here.
Stored histories, traces and cache keys derive from it and differ in what JSON has no form for.

What JSON does not know is written as pydantic writes it: a dataclass or an attrs class as an
object, an enum as its value, a time in ISO 8601, a set, a named tuple or an iterator as a list,
a `Decimal`, `UUID` or path as text, bytes in URL-safe base64, NaN as null, and an object with
`model_dump`, such as a model of pydantic's, as that says. A class by itself, a function and other
objects are written by `str`; one whose text is Python's `<... object at 0x...>` is refused.
"""

from __future__ import annotations

import dataclasses
import math
import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections import UserString
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, NoReturn, TypeAlias
from uuid import UUID

import attrs

from ._json import MAX_DEPTH, mended, text_of
from ._record import Record, public
from ._validation import ValidationError, each, refuse
from .exceptions import UserError

__all__ = (
    "SCALARS",
    "Values",
    "as_text",
    "default",
    "from_base64",
    "iso_duration",
    "iso_moment",
    "plain",
    "to_json",
    "whole_minutes",
)

SCALARS: Final = frozenset({str, int, bool, type(None)})


def whole_minutes(value: datetime) -> datetime:
    """Return the moment with an offset in whole minutes, all that some JSON writers know."""
    offset = None if value.tzinfo is UTC else value.utcoffset()
    if not offset or offset.total_seconds() % 60 == 0:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValidationError("is a time that UTC cannot hold") from None


def iso_moment(value: datetime | time) -> str:
    """Return a time in ISO 8601, with `Z` for UTC."""
    text = value.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def iso_duration(value: timedelta) -> str:
    """Return a duration in ISO 8601, such as `P1DT2H`; a year has 365 days, as pydantic counts."""
    length = abs(value)
    years, days = divmod(length.days, 365)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
    dated = "".join(f"{count}{unit}" for count, unit in ((years, "Y"), (days, "D")) if count)
    timed = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    if seconds or fraction or not (dated or timed):
        timed += f"{seconds}{fraction}S"
    sign = "-" if value < timedelta() else ""
    return f"{sign}P{dated}{'T' if timed else ''}{timed}"


_STANDARD = str.maketrans("-_", "+/")


def from_base64(text: str) -> bytes:
    """Return the bytes of base64, URL-safe or standard, padded or not.

    Raises:
        ValueError: It is no base64.
    """
    standard = text.translate(_STANDARD)
    return a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)


def default(value: object) -> str:
    """Return the JSON text of bytes and of a `datetime`, for a JSON writer.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return urlsafe_b64encode(value).decode()
    if isinstance(value, datetime):
        return iso_moment(value)
    raise TypeError(f"a {type(value).__name__} in a field that cannot hold one")


class Values:
    """Writes values as trees of dicts, lists, text, numbers, bools and None.

    It goes `MAX_DEPTH` levels deep at most, so a value that holds itself is refused, too. What
    cannot be written leaves as `ValidationError`, with its place.
    """

    strict = False
    """Whether a value that JSON has no form for is refused, instead of being written by `str`."""

    # -- overridden by other writers --------------------------------------------------------------

    def number(self, value: float) -> Any:
        """Write a float."""
        return value if math.isfinite(value) else None

    def data(self, value: bytes) -> Any:
        """Write bytes."""
        return urlsafe_b64encode(value).decode()

    def moment(self, value: datetime) -> Any:
        """Write a date and time."""
        return iso_moment(whole_minutes(value))

    def mapping(self, value: dict[Any, Any], depth: int) -> Any:
        """Return what stands for a dict: a dict is walked on, anything else is final."""
        return value

    def record(self, value: Record, depth: int) -> Any:
        """Write a record of this library."""
        return self.tree(public(value), depth)

    def other(self, value: object) -> Any:
        """Write a value that JSON has no form for: by its text, if that is more than an address."""
        text = "" if self.strict else str(value)
        if self.strict or (text.startswith("<") and " at 0x" in text):
            refuse("a value that JSON can hold", value)
        return text

    # -- the walk ---------------------------------------------------------------------------------

    def tree(self, value: Any, depth: int = 0) -> Any:
        """Write a value.

        Args:
            value: The value.
            depth: How many lists and dicts are around it.
        """
        cls = type(value)
        if cls in SCALARS:
            return value
        if cls is list or cls is tuple:
            return self.items(value, depth)
        if cls is dict:
            chosen = self.mapping(value, depth)
            return self.members(chosen, depth) if type(chosen) is dict else chosen
        return self.leaf(value, depth)

    def items(self, values: Iterable[Any], depth: int) -> list[Any]:
        """Write a list."""
        if depth >= MAX_DEPTH:
            _refuse_depth()
        return each(self.tree, values, depth + 1)

    def members(self, values: dict[Any, Any], depth: int) -> dict[str, Any]:
        """Write a dict, without asking `mapping` about the dict itself."""
        if depth >= MAX_DEPTH:
            _refuse_depth()
        done: dict[str, Any] = {}
        key: Any = None
        try:
            for key, value in values.items():
                name = key if type(key) is str else self._key(key, values, done)
                done[name] = value if type(value) in SCALARS else self.tree(value, depth + 1)
        except ValidationError as invalid:
            invalid.inside(key)
            raise
        return done

    def _key(self, key: Any, values: dict[Any, Any], done: dict[str, Any]) -> str:
        name = self._name(key)
        is_taken = name in done or (name in values and name != key)
        if self.strict and (name is None or is_taken):
            raise ValidationError("is a key that JSON cannot hold")
        return str(key) if name is None else name

    def _name(self, key: Any) -> str | None:
        """Return what a key is called in JSON, None where there is no name for it."""
        if isinstance(key, Enum):
            return self._name(key.value)
        if isinstance(key, bool):
            return "true" if key else "false"
        if key is None or isinstance(key, (int, float)):
            return repr(key if key is None else _number(key))
        if isinstance(key, tuple):
            names = [self._name(each) for each in key]
            return None if None in names else ",".join(map(str, names))
        named = self.tree(key)
        if isinstance(named, datetime):  # which a history keeps as it is where it is a value
            named = Values.moment(self, named)
        if isinstance(named, str):
            return named
        return self._name(named) if type(named) in SCALARS else None  # a number of numpy's

    def leaf(self, value: Any, depth: int) -> Any:
        """Write what is no list, dict, text, integer, bool or None."""
        if depth > MAX_DEPTH:
            _refuse_depth()
        try:
            for holds, write in () if isinstance(value, type) else _RULES:
                if holds(value):
                    return write(self, value, depth)
            return self.other(value)
        except ValidationError:
            raise
        except Exception as exc:  # a value's own methods raise any error
            reason = f"{type(exc).__name__}: {exc}"
            raise ValidationError(f"cannot be written as JSON: {reason}") from exc


def _refuse_depth() -> NoReturn:
    raise ValidationError(f"is nested more than {MAX_DEPTH} levels deep")


def _number(value: float) -> float:
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def sorted_items(values: Iterable[Any]) -> list[Any]:
    """Return a set's items in an order that is the same in every process."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


def _is(*classes: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, classes)


def _is_from(*packages: str) -> Callable[[Any], bool]:
    """Return whether a value's class is from one of some packages, which need not be imported."""
    return lambda value: any(
        cls.__module__.partition(".")[0] in packages for cls in type(value).__mro__
    )


def from_numpy(value: Any) -> Any:
    """Return what an array or a scalar of numpy's holds."""
    form = value.dtype.str
    # `tolist` makes integers of times that count nanoseconds.
    return (value.astype(f"{form[:-3]}us]") if form.endswith("[ns]") else value).tolist()


Rule: TypeAlias = tuple[Callable[[Any], bool], Callable[[Values, Any, int], Any]]

# How a value is written of which this holds. The first counts: an enum may be text, a datetime is
# a date, a dataclass may be a dict.
_RULES: tuple[Rule, ...] = (
    (_is(float), lambda to, value, _: to.number(float.__float__(value))),
    (_is(Record), lambda to, value, depth: to.record(value, depth)),
    (_is(Enum), lambda to, value, depth: to.tree(value.value, depth + 1)),
    (_is(str), lambda to, value, _: str.__str__(value)),
    (_is(int), lambda to, value, _: int.__int__(value)),
    (_is(bytes, bytearray, memoryview), lambda to, value, _: to.data(bytes(value))),
    # The one that is not equal to itself is pandas' "not a time".
    (_is(datetime), lambda to, at, _: to.moment(at) if at == at else to.number(math.nan)),
    (_is(date), lambda to, value, _: value.isoformat()),
    (_is(time), lambda to, value, _: iso_moment(value)),
    (_is(timedelta), lambda to, value, _: iso_duration(value)),
    (_is(UUID, PurePath, UserString), lambda to, value, _: str(value)),
    (_is(complex), lambda to, value, _: str(value).strip("()")),
    (_is(re.Pattern), lambda to, value, depth: to.tree(value.pattern, depth)),
    (
        lambda value: hasattr(value, "model_dump"),
        lambda to, value, depth: to.tree(value.model_dump(mode="json"), depth + 1),
    ),
    (
        lambda value: hasattr(type(value), "__pydantic_serializer__"),
        lambda to, value, depth: to.tree(
            type(value).__pydantic_serializer__.to_python(value, mode="json"), depth + 1
        ),
    ),
    (
        lambda value: attrs.has(type(value)),
        lambda to, value, depth: to.tree(
            {field.alias: getattr(value, field.name) for field in attrs.fields(type(value))}, depth
        ),
    ),
    (
        dataclasses.is_dataclass,
        lambda to, value, depth: to.tree(
            {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, depth
        ),
    ),
    (_is(Mapping), lambda to, value, depth: to.tree(dict(value), depth)),
    (_is(Set), lambda to, value, depth: to.items(sorted_items(value), depth)),
    (_is(Sequence, ValuesView, Iterator), lambda to, value, depth: to.items(value, depth)),
    (_is(BaseException), lambda to, value, _: str(value)),
    (
        _is_from("decimal", "fractions", "ipaddress", "pandas", "pydantic", "pydantic_core"),
        lambda to, value, _: str(value),
    ),
    (_is_from("numpy"), lambda to, value, depth: to.tree(from_numpy(value), depth + 1)),
)


_TOLD = Values()


def plain(value: Any, writer: Values = _TOLD) -> Any:
    """Return a value as a tree of what JSON knows.

    Args:
        value: Any value.
        writer: Writes it; by default as it is sent to a provider.

    Raises:
        UserError: It is nested too deeply, or one of its own methods failed.
    """
    try:
        return writer.tree(value)
    except ValidationError as invalid:
        reason = invalid.message("the value", "{} {}")
        raise UserError(f"It cannot be written as JSON: {reason}") from invalid
    except Exception as exc:  # a key's own methods raise any error
        raise UserError(f"It cannot be written as JSON: {type(exc).__name__}") from exc


def to_json(
    value: object, *, indent: int | None = None, separators: tuple[str, str] | None = None
) -> str:
    """Return a value as JSON text, compact unless it is indented; nothing is escaped.

    Args:
        value: Any value.
        indent: Spaces to indent each level by.
        separators: What stands between items, and between a key and its value.

    Raises:
        UserError: It is nested too deeply, one of its own methods failed, or a number has too
            many digits.
    """
    return _text(plain(value), indent=indent, separators=separators)


def as_text(value: object) -> str:
    """Return a value as a model reads it: text as it is, anything else as JSON.

    Raises:
        UserError: As `to_json`.
    """
    tree = plain(value)
    return tree if isinstance(tree, str) else _text(tree)


def _text(tree: Any, **layout: Any) -> str:
    try:
        text = text_of(tree, **layout)
    except ValueError as exc:
        raise UserError(f"It cannot be written as JSON: {exc}") from exc
    return text if text.isascii() else str(mended(text))
