"""Whether values are of the types that a class is annotated with.

Settings, parameters and messages are tested before they are written, where a wrong type
would be noticed late or never. To make a record costs nothing more for it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs

from ._validation import ValidationError
from .exceptions import shown

__all__ = ("fits", "type_name", "wrong_field")

Test: TypeAlias = Callable[[Any], bool]

_LISTS = (list, tuple, Sequence)

# What is never sent and may be anything, and the parts of a message, each of which is tested
# by itself.
_UNTESTED = frozenset(
    (
        *("dynamic_ref", "finish_reason", "metadata", "model_name", "parts"),
        *("provider_url", "run_id", "state", "timestamp", "usage"),
    )
)


def wrong_field(record: Any) -> str | None:
    """Return what is wrong with the first field of a record whose value is not of its type.

    The fields of records inside it count; what is never sent does not.
    """
    invalid = _misfit(record)
    return None if invalid is None else invalid.message("", "`{}` {}")


def _misfit(record: Any) -> ValidationError | None:
    cls: Any = type(record)
    values = _values_of(cls)(record)
    for number in _to_be_tested(cls, tuple(map(type, values))):
        field, takes, test = _tests(cls)[number]
        value = values[number]
        if not test(value):
            holds = shown(value) if field.repr else type(value).__name__
            found = _inside(value) or ValidationError(f"takes {type_name(takes)}, not {holds}")
            found.inside(field.alias)
            return found
    return None


def _inside(value: Any) -> ValidationError | None:
    """Return what is wrong with a record that is a field's value, or an item of it."""
    if attrs.has(type(value)):
        return _misfit(value)
    for number, item in enumerate(value if isinstance(value, (list, tuple)) else ()):
        if attrs.has(type(item)) and (found := _misfit(item)) is not None:
            found.inside(number)
            return found
    return None


@cache
def _values_of(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function from a record to the values of its tested fields."""
    names = [field.name for field, _, _ in _tests(cls)]
    if not names:
        return lambda record: ()
    read = attrgetter(*names)
    return read if len(names) > 1 else lambda record: (read(record),)


@lru_cache(maxsize=1024)
def _to_be_tested(cls: type, held: tuple[type, ...]) -> tuple[int, ...]:
    """Return the numbers of the fields whose values must be tested: types do not tell of them.

    Args:
        cls: The class of the record.
        held: The types of its fields' values.
    """
    tests = zip(_tests(cls), held, strict=True)
    return tuple(n for n, ((_, takes, _), each) in enumerate(tests) if not _tells(takes, each))


def _tells(takes: Any, held: type) -> bool:
    """Return whether the type of a value tells that it fits, whatever it holds."""
    origin, inner = get_origin(takes), get_args(takes)
    if origin in (Union, types.UnionType):
        return any(_tells(each, held) for each in inner)
    if origin in (dict, Mapping) and inner[1] is Any:
        return held is dict
    return fits(takes) is _anything or (held is takes and not attrs.has(takes))


@cache
def _tests(cls: Any) -> tuple[tuple[attrs.Attribute[Any], Any, Test], ...]:
    try:
        hints = get_type_hints(cls)
    except Exception:  # a subclass of the program's own, with names that only it knows
        return ()
    return tuple(
        (field, hints[field.name], fits(hints[field.name]))
        for field in attrs.fields(cls)
        if field.name in hints and field.name not in _UNTESTED and not is_tag(hints[field.name])
    )


def is_tag(annotation: Any) -> bool:
    """Return whether a field's only value is the name of its class, which nothing depends on."""
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


@cache
def fits(annotation: Any) -> Test:
    """Return a test of whether a value is of a type, as deep as the type says.

    A whole number is a number, and True is neither; a tuple is a list. A record is tested
    with its fields. What cannot be tested fits.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        tests = tuple(map(fits, inner))
        return lambda value: any(test(value) for test in tests)
    if origin is Literal and all(isinstance(one, str) for one in inner):
        return lambda value: isinstance(value, str) and value in inner
    if origin is Literal:
        return lambda value: any(isinstance(value, type(one)) and value == one for one in inner)
    if origin in _LISTS:
        item = fits(inner[0])
        return lambda value: isinstance(value, (list, tuple)) and all(map(item, value))
    if origin in (dict, Mapping):
        return _dict(*inner)
    if origin is Callable:
        return callable
    return (
        _plain(annotation) if isinstance(annotation, type) and annotation is not Any else _anything
    )


def _anything(value: Any) -> bool:
    return True


def _dict(key: Any, value: Any) -> Test:
    if value is Any:
        return lambda given: isinstance(given, dict)
    keys, values = fits(key), fits(value)
    return lambda given: (
        isinstance(given, dict) and all(map(keys, given)) and all(map(values, given.values()))
    )


def _plain(annotation: type) -> Test:
    if annotation in (int, float):
        numbers = (int, float) if annotation is float else int
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    if annotation is bytes:
        return lambda value: isinstance(value, (bytes, bytearray, memoryview))
    if attrs.has(annotation):
        return lambda value: isinstance(value, annotation) and _misfit(value) is None
    if issubclass(annotation, dict):  # a TypedDict
        return lambda value: isinstance(value, dict)
    if getattr(annotation, "_is_protocol", False):
        return _anything
    return lambda value: isinstance(value, annotation)


_ONE = {int: "a whole number", float: "a number", str: "text", bytes: "bytes", dict: "a dict"}
_MANY = {int: "numbers", float: "numbers", str: "texts", dict: "dicts"}


def type_name(annotation: Any) -> str:
    """Return what a type takes, in words."""
    return _joined(_words(annotation))


def _joined(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _words(annotation: Any) -> list[str]:
    """Return the words for each of the things that a type takes."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return [word for each in inner for word in _words(each)]
    if annotation is bool:
        return ["True", "False"]
    if origin is Literal:
        return [repr(inner[0])] if len(inner) == 1 else [f"one of {', '.join(map(repr, inner))}"]
    if origin in _LISTS:
        return [f"a list of {_many(inner[0])}"]
    if origin in (dict, Mapping):
        return ["a dict" if inner[1] is Any else f"a dict of {_many(inner[1])}"]
    if origin is Callable:
        return ["a function"]
    return [
        "None"
        if annotation is types.NoneType
        else _ONE.get(annotation, getattr(annotation, "__name__", "it"))
    ]


def _many(annotation: Any) -> str:
    plain = get_origin(annotation) or annotation
    return _MANY.get(plain) or _joined(_words(annotation))
