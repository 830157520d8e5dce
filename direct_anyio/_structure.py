"""Values of types, read from what a model wrote.

Promises:

1.  Every type that has a JSON schema (`_schema`) is read, and no other.
2.  Nothing is guessed: "5" is no number and "false" is no bool. A whole number is a float too.
    Unknown keys are ignored. Of a union the first member that fits is taken; of its classes
    those that know more of the keys come first.
3.  Where `str` is asked for, a text that is no JSON is the value itself.
4.  What does not fit is one `UnexpectedModelBehavior` that names the places, in linear time.

Objects are made by cattrs, which knows what each kind of class wants.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, NoReturn, get_args, get_origin
from uuid import UUID

from ._misfits import inside, misfits
from ._schema import (
    ARRAYS,
    DICTS,
    OUTER_KEY,
    UNIONS,
    choices,
    has_members,
    is_choice,
    is_named_tuple,
    is_typed_dict,
    members_of,
    named,
    names_of,
    wraps,
)
from .exceptions import UnexpectedModelBehavior, printable

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ("structured",)

MAX_MISFITS = 3
"""Places that an error names."""

_NONE = type(None)
_LANGUAGE = re.compile(r"\w*[ \t]*\n")

_tried: ContextVar[dict[tuple[int, Any], Any]] = ContextVar("_tried")
"""What each value was read as by each union, while one output is read.

Unions within each other would otherwise read what is inside them again and again.
"""

_UNFIT: Any = object()


def _refuse(wanted: str, value: object) -> NoReturn:
    raise ValueError(f"must be {wanted}, not {printable(json.dumps(value), 64)}")


def _whole(value: Any) -> int:
    return int(value) if type(value) is int or value.is_integer() else _refuse("an integer", value)


def _parsed(parse: Callable[[str], Any], wanted: str) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        try:
            return parse(value)
        except ValueError:
            _refuse(wanted, value)

    return read


# Which types of JSON each scalar takes, what it is called, and what makes the value.
_NUMBERS = (int, float)
_READERS: dict[Any, tuple[tuple[type, ...], str, Callable[[Any], Any]]] = {
    _NONE: ((_NONE,), "null", lambda value: value),
    bool: ((bool,), "true or false", bool),
    str: ((str,), "text", str),
    int: (_NUMBERS, "an integer", _whole),
    float: (_NUMBERS, "a number", float),
    Decimal: (_NUMBERS, "a number", lambda value: Decimal(str(value))),
    date: ((str,), "a date", _parsed(date.fromisoformat, "a date")),
    datetime: ((str,), "a date and time", _parsed(datetime.fromisoformat, "a date and time")),
    time: ((str,), "a time", _parsed(time.fromisoformat, "a time")),
    UUID: ((str,), "a UUID", _parsed(UUID, "a UUID")),
}


def _scalar(value: Any, kind: Any) -> Any:
    if kind not in _READERS:  # an enum may be text or a number too
        return _chosen(value, kind)
    takes, wanted, read = _READERS[kind]
    return read(value) if type(value) in takes else _refuse(wanted, value)


def _chosen(value: Any, kind: Any) -> Any:
    listed = choices(kind)
    for said, choice in listed:
        if type(said) is type(value) and said == value:
            return choice
    _refuse(f"one of {', '.join(json.dumps(said) for said, _ in listed)}", value)


def _each(places: Iterable[Any], values: Iterable[Any], kinds: Iterable[Any]) -> Any:
    """Return the values of a list or a dict, each read as its kind."""
    convert = _converter().structure
    done = []
    for place, value, kind in zip(places, values, kinds, strict=False):
        try:
            done.append(convert(value, kind))
        except Exception as exc:  # as cattrs does, whose errors name places by their notes
            raise inside(exc, place) from None
    return done


def _array(value: Any, kind: Any) -> Any:
    if type(value) is not list:
        _refuse("a list", value)
    origin, args = get_origin(kind) or kind, get_args(kind)
    kinds: Iterable[Any] = repeat(args[0] if args else Any)
    if origin is tuple and args and args[-1] is not ...:
        if len(value) != len(args):
            raise ValueError(f"must have {len(args)} items, not {len(value)}")
        kinds = args
    return ARRAYS[origin](_each(range(len(value)), value, kinds))


def _dict(value: Any, kind: Any) -> Any:
    if type(value) is not dict:
        _refuse("an object", value)
    inner = (get_args(kind) or (str, Any))[1]
    return dict(zip(value, _each(value, value.values(), repeat(inner)), strict=True))


def _typed_dict(value: dict[str, Any], kind: Any) -> Any:
    # The hook of cattrs misses `NotRequired` in annotations that are text.
    members = members_of(kind)
    for member in members:
        if member.required and member.name not in value:
            raise inside(KeyError(member.name), member.name)
    kinds = {member.name: member.kind for member in members if member.name in value}
    known = [value[name] for name in kinds]
    return dict(zip(kinds, _each(kinds, known, kinds.values()), strict=True))


def _union(value: Any, kind: Any) -> Any:
    members = get_args(kind)
    if value is None and _NONE in members:
        return None
    others = [member for member in members if member is not _NONE]
    if len(others) == 1:
        return _converter().structure(value, others[0])
    tried, place = _tried.get(), (id(value), kind)
    if place not in tried:
        tried[place] = _first_fit(value, others)
    if tried[place] is _UNFIT:
        _refuse(f"one of {', '.join(map(named, members))}", value)
    return tried[place]


def _first_fit(value: Any, members: list[Any]) -> Any:
    if type(value) is dict:
        members = sorted(members, key=lambda member: -len(names_of(member) & value.keys()))
    for member in members:
        try:
            return _converter().structure(value, member)
        except RecursionError:
            raise
        except Exception:  # whatever a class says to what does not fit it
            continue
    return _UNFIT


def _class(kind: Any) -> Callable[[Any, Any], Any]:
    """Return what makes an object of a class, given the class."""
    from cattrs.cols import namedtuple_dict_structure_factory
    from cattrs.gen import make_dict_structure_fn

    cls, converter = get_origin(kind) or kind, _converter()
    if is_typed_dict(cls):
        make: Any = _typed_dict
    elif is_named_tuple(cls):
        make = namedtuple_dict_structure_factory(kind, converter)
    else:
        make = make_dict_structure_fn(kind, converter, _cattrs_use_alias=True)

    def read(value: Any, of: Any) -> Any:
        return make(value, of) if type(value) is dict else _refuse("an object", value)

    return read


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter()
    for kind in (Enum, *_READERS):
        converter.register_structure_hook(kind, _scalar)
    # Of these the last one that applies counts.
    converter.register_structure_hook_func(lambda kind: _origin(kind) in DICTS, _dict)
    converter.register_structure_hook_func(lambda kind: _origin(kind) in ARRAYS, _array)
    converter.register_structure_hook_func(lambda kind: _origin(kind) in UNIONS, _union)
    converter.register_structure_hook_func(is_choice, _chosen)
    converter.register_structure_hook_factory(lambda kind: has_members(_origin(kind)), _class)
    return converter


def _origin(kind: Any) -> Any:
    return get_origin(kind) or kind


def structured(kind: Any, text: str | None, call: str | None = None) -> Any:
    """Return what a model wrote as a value of a type.

    Args:
        kind: The type.
        text: The model's text: JSON, or JSON in a Markdown fence; for `str` plain text too.
        call: Arguments of a call, which count where the text is no JSON.

    Raises:
        UserError: The type has no JSON schema.
        UnexpectedModelBehavior: There is no JSON, or it does not fit the type.
    """
    wrapped = wraps(kind)
    try:
        written, document = _document([each for each in (text, call) if each and each.strip()])
    except UnexpectedModelBehavior:
        if kind is str and text and _is_plain(text):
            return text
        raise
    if wrapped and type(document) is dict and OUTER_KEY in document:
        document = document[OUTER_KEY]
    token = _tried.set({})
    try:
        return _fitted(document, kind, written)
    except RecursionError:
        raise UnexpectedModelBehavior("The output is nested too deeply", written) from None
    finally:
        _tried.reset(token)


def _is_plain(text: str) -> bool:
    """Return whether a text says something, and is no object that was cut short."""
    return text.strip()[:1] not in ("", "{")


def _fitted(document: Any, kind: Any, written: str) -> Any:
    try:
        return _converter().structure(document, kind)
    except RecursionError:
        raise
    except Exception as exc:  # a class may say anything to what does not fit it
        said = "; ".join(
            f"{place} {what}" for place, what in islice(misfits(exc, "$"), MAX_MISFITS)
        )
        message = f"The output does not fit {named(kind)}: {said}"
        raise UnexpectedModelBehavior(message, written) from None


def _document(candidates: list[str]) -> tuple[str, Any]:
    """Return the first of some texts that is JSON, and what it says."""
    if not candidates:
        raise UnexpectedModelBehavior("The response holds no output: no text and no tool call")
    problem: Exception = ValueError()
    for written in candidates:
        for text in (written, _fenced(written)):
            try:
                return written, json.loads(text, parse_constant=_no_constant)
            except (ValueError, RecursionError) as exc:
                problem = exc
    raise UnexpectedModelBehavior(f"The output is no JSON: {problem}", candidates[0])


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _fenced(text: str) -> str:
    """Return what is inside a Markdown fence, the text itself where there is none."""
    _, _, rest = text.partition("```")
    inside, fence, _ = rest.rpartition("```")
    language = _LANGUAGE.match(inside)
    return inside[language.end() if language else 0 :] if fence else text
