"""Whether values are of the types that a class is annotated with.

Settings, parameters and messages are tested before they are written, where a wrong type
would be noticed late or never. To make a record costs nothing more for it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

import attrs

from ._misfits import Misfit
from .exceptions import shown

__all__ = ("fits", "told", "wrong_field")

Test: TypeAlias = Callable[[Any], bool]

_LISTS = (list, tuple, Sequence)

# What is never sent and may be anything, and the parts of a message, each of which is tested
# by itself.
_UNTESTED = frozenset(
    (
        *("dynamic_ref", "finish_reason", "metadata", "model_name", "part_kind"),
        "parts",
        *("provider_url", "run_id", "state", "timestamp", "usage"),
    )
)


def wrong_field(record: Any) -> str | None:
    """Return what is wrong with the first field of a record whose value is not of its type.

    The fields of records inside it count; what is never sent does not.
    """
    misfit = _misfit(record)
    return None if misfit is None else misfit.told("", "`{}` {}")


def _misfit(record: Any) -> Misfit | None:
    for field, kind, test in _tests(cast(Any, type(record))):
        value = getattr(record, field.name)
        if not test(value):
            holds = shown(value) if field.repr else type(value).__name__
            found = _inside(value) or Misfit(f"takes {told(kind)}, not {holds}")
            found.inside(field.alias)
            return found
    return None


def _inside(value: Any) -> Misfit | None:
    """Return what is wrong with a record that is a field's value, or an item of it."""
    if attrs.has(type(value)):
        return _misfit(value)
    for number, item in enumerate(value if isinstance(value, (list, tuple)) else ()):
        if attrs.has(type(item)) and (found := _misfit(item)) is not None:
            found.inside(number)
            return found
    return None


@cache
def _tests(kind: type) -> tuple[tuple[attrs.Attribute[Any], Any, Test], ...]:
    try:
        hints = get_type_hints(kind)
    except Exception:  # a subclass of the program's own, with names that only it knows
        return ()
    return tuple(
        (field, hints[field.name], fits(hints[field.name]))
        for field in attrs.fields(kind)
        if field.name in hints and field.name not in _UNTESTED
    )


@cache
def fits(kind: Any) -> Test:
    """Return a test of whether a value is of a type, as deep as the type says.

    A whole number is a number, and True is neither; a tuple is a list. A record is tested
    with its fields. What cannot be tested fits.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        tests = tuple(map(fits, inner))
        return lambda value: any(test(value) for test in tests)
    if origin is Literal:
        return lambda value: any(isinstance(value, type(one)) and value == one for one in inner)
    if origin in _LISTS:
        item = fits(inner[0])
        return lambda value: isinstance(value, (list, tuple)) and all(map(item, value))
    if origin in (dict, Mapping):
        return _dict(*inner)
    if origin is Callable:
        return callable
    return _plain(kind) if isinstance(kind, type) and kind is not Any else _anything


def _anything(value: Any) -> bool:
    return True


def _dict(key: Any, value: Any) -> Test:
    if value is Any:
        return lambda given: isinstance(given, dict)
    keys, values = fits(key), fits(value)
    return lambda given: (
        isinstance(given, dict) and all(map(keys, given)) and all(map(values, given.values()))
    )


def _plain(kind: type) -> Test:
    if kind in (int, float):
        numbers = (int, float) if kind is float else int
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    if kind is bytes:
        return lambda value: isinstance(value, (bytes, bytearray, memoryview))
    if attrs.has(kind):
        return lambda value: isinstance(value, kind) and _misfit(value) is None
    if issubclass(kind, dict):  # a TypedDict
        return lambda value: isinstance(value, dict)
    if getattr(kind, "_is_protocol", False):
        return _anything
    return lambda value: isinstance(value, kind)


_ONE = {int: "a whole number", float: "a number", str: "text", bytes: "bytes", dict: "a dict"}
_MANY = {int: "numbers", float: "numbers", str: "texts", dict: "dicts"}


def told(kind: Any) -> str:
    """Return what a type takes, in words."""
    return _joined(_words(kind))


def _joined(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _words(kind: Any) -> list[str]:
    """Return the words for each of the things that a type takes."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return [word for each in inner for word in _words(each)]
    if kind is bool:
        return ["True", "False"]
    if origin is Literal:
        return [repr(inner[0])] if len(inner) == 1 else [f"one of {', '.join(map(repr, inner))}"]
    if origin in _LISTS:
        return [f"a list of {_many(inner[0])}"]
    if origin in (dict, Mapping):
        return ["a dict" if inner[1] is Any else f"a dict of {_many(inner[1])}"]
    if origin is Callable:
        return ["a function"]
    return ["None" if kind is types.NoneType else _ONE.get(kind, getattr(kind, "__name__", "it"))]


def _many(kind: Any) -> str:
    plain = get_origin(kind) or kind
    return _MANY.get(plain) or _joined(_words(kind))
