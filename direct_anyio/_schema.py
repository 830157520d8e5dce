"""The JSON schema of a type, and of a function's arguments.

Promises:

1.  Known are attrs classes, dataclasses, TypedDicts, named tuples, generics of these, enums,
    literals, unions, lists, sets, tuples, dicts with text as keys, `str`, `int`, `float`, `bool`,
    None, dates and times, `UUID`, `Decimal` and `Any`. Any other type, alone or inside, is a
    `UserError` that names it.
2.  The root is an object. Classes inside it are definitions; there are no titles.
3.  Descriptions come from `Annotated`, else from the `description` in a field's metadata, else
    from the docstring.

It is written here because msgspec, the best kept library for it, refuses unions of two classes
or of a date and a text, ignores aliases, and takes descriptions in its own words only. The
others know no attrs classes, or are no longer kept.
"""

from __future__ import annotations

import collections
import collections.abc as abc
import dataclasses
import functools
import inspect
import itertools
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, Union, get_args, get_origin
from uuid import UUID

import attrs

from ._docstrings import own_doc, summary, told
from .exceptions import UserError

__all__ = (
    "ARRAYS",
    "DICTS",
    "Member",
    "OUTER_KEY",
    "UNIONS",
    "choices",
    "described",
    "has_members",
    "is_choice",
    "is_named_tuple",
    "is_typed_dict",
    "members_of",
    "named",
    "names_of",
    "parameters_of",
    "said_of",
    "schema_of",
    "title_of",
    "wraps",
)

OUTER_KEY: Final = "response"
"""The member of an object that holds an output which is no object itself."""

Schema: TypeAlias = dict[str, Any]

_DEFS = "#/$defs/"
_NONE = type(None)

_SCALARS: dict[Any, Schema] = {
    Any: {},
    _NONE: {"type": "null"},
    None: {"type": "null"},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    time: {"type": "string", "format": "time"},
    UUID: {"type": "string", "format": "uuid"},
}

# What makes the value of a type that JSON has an array for.
ARRAYS: dict[Any, Callable[[Iterable[Any]], Any]] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable), list),
    **dict.fromkeys((set, abc.Set, abc.MutableSet), set),
    frozenset: frozenset,
    tuple: tuple,
    collections.deque: collections.deque,
}
_SETS = (set, frozenset, abc.Set, abc.MutableSet)
DICTS = (dict, abc.Mapping, abc.MutableMapping)
UNIONS = (Union, types.UnionType)


# -- classes and their members ---------------------------------------------------------------------


@attrs.frozen
class Member:
    """A field of a class, or a parameter of a function."""

    name: str
    kind: Any
    required: bool
    default: Any = ...  # this, as any default that JSON has no word for, is not said
    description: str | None = None


def _hints(of: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(of, include_extras=True)
    except (NameError, TypeError) as exc:
        name = getattr(of, "__qualname__", of)
        raise UserError(
            f"The annotations of {name} cannot be read: {exc}; they must be importable names"
        ) from exc


def _attrs_members(kind: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for field in attrs.fields(kind):
        if field.init:
            required = field.default is attrs.NOTHING
            said = field.metadata.get("description")
            hint = hints.get(field.name, Any)
            yield Member(field.alias or field.name, hint, required, field.default, said)


def _dataclass_members(kind: Any, hints: dict[str, Any]) -> Iterator[Member]:
    missing = dataclasses.MISSING
    for field in dataclasses.fields(kind):
        if field.init:
            required = field.default is missing and field.default_factory is missing
            said = field.metadata.get("description")
            yield Member(field.name, hints[field.name], required, field.default, said)


_MARKS = {"Required": True, "NotRequired": False}


def _typed_dict_members(kind: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for name, hint in hints.items():
        required = name in kind.__required_keys__
        # The class itself misses these in annotations that are text.
        while (form := getattr(get_origin(hint), "_name", None)) in _MARKS:
            required, hint = _MARKS[form], get_args(hint)[0]
        yield Member(name, hint, required)


def _named_tuple_members(kind: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for name in kind._fields:
        default = kind._field_defaults.get(name, ...)
        yield Member(name, hints.get(name, Any), name not in kind._field_defaults, default)


def is_typed_dict(kind: Any) -> bool:
    """Return whether something is a TypedDict."""
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__total__")


def is_named_tuple(kind: Any) -> bool:
    """Return whether something is a named tuple's class."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


_CLASSES: tuple[tuple[Callable[[Any], bool], Callable[..., Iterator[Member]]], ...] = (
    (lambda kind: isinstance(kind, type) and attrs.has(kind), _attrs_members),
    (lambda kind: isinstance(kind, type) and dataclasses.is_dataclass(kind), _dataclass_members),
    (is_typed_dict, _typed_dict_members),
    (is_named_tuple, _named_tuple_members),
)


def has_members(cls: Any) -> bool:
    """Return whether something is a class of a kind whose members are known."""
    return any(applies(cls) for applies, _ in _CLASSES)


@functools.lru_cache(256)
def names_of(kind: Any) -> frozenset[str]:
    """Return the names of a class's members, none for any other type."""
    kind = _plain(kind)
    if get_origin(kind) is Annotated:
        return names_of(get_args(kind)[0])
    return frozenset(member.name for member in members_of(kind))


@functools.lru_cache(256)
def members_of(kind: Any) -> tuple[Member, ...]:
    """Return the members of a class, none for any other type."""
    cls = get_origin(kind) or kind
    read = next((read for applies, read in _CLASSES if applies(cls)), None)
    if read is None:
        return ()
    given, said = _arguments(kind), told(own_doc(cls))
    return tuple(
        attrs.evolve(
            member,
            kind=_bound(member.kind, given),
            description=member.description or said.get(member.name),
        )
        for member in read(cls, _hints(cls))
    )


def _arguments(kind: Any) -> dict[Any, Any]:
    """Return what each type variable of a class and its bases stands for."""
    cls = get_origin(kind) or kind
    given: dict[Any, Any] = {}
    for base in getattr(cls, "__orig_bases__", ()):
        if get_origin(base) not in (None, typing.Generic, typing.Protocol):
            given |= _arguments(base)
    return given | dict(zip(getattr(cls, "__parameters__", ()), get_args(kind), strict=False))


def _bound(kind: Any, given: dict[Any, Any]) -> Any:
    if isinstance(kind, TypeVar):
        return given.get(kind, kind)
    free = getattr(kind, "__parameters__", ()) if get_args(kind) else ()
    return kind[tuple(given.get(each, each) for each in free)] if free else kind


def _plain(kind: Any) -> Any:
    """Return what a `NewType` or a type alias stands for."""
    while True:
        inner = getattr(kind, "__supertype__", None) or getattr(kind, "__value__", None)
        if inner is None:
            return kind
        kind = inner


def is_choice(kind: Any) -> bool:
    """Return whether a type lists its values: an enum or a literal."""
    return get_origin(kind) is Literal or _is_enum(kind)


def choices(kind: Any) -> list[tuple[Any, Any]]:
    """Return JSON value and value of each choice of an enum or a literal.

    Raises:
        UserError: JSON has no word for one of them.
    """
    members = get_args(kind) if get_origin(kind) is Literal else list(kind)
    found = [(each.value if isinstance(each, Enum) else each, each) for each in members]
    if bad := [value for value, _ in found if not _is_json(value)]:
        raise UserError(f"{named(kind)} has a value that JSON has no word for: {bad[0]!r}")
    return found


_CHOICE_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", _NONE: "null"}


def _is_json(value: Any) -> bool:
    return type(value) in _CHOICE_TYPES and (type(value) is not float or math.isfinite(value))


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def named(kind: Any) -> str:
    """Return the name of a type as an error shows it."""
    if get_args(kind):
        return str(kind).replace("typing.", "")
    return getattr(kind, "__name__", None) or str(kind)


def said_of(kind: Any) -> str | None:
    """Return what is written about a type: in its `Annotated`, else in its docstring."""
    kind = _plain(kind)
    if get_origin(kind) is Annotated:
        return _annotated(kind) or said_of(get_args(kind)[0])
    cls = get_origin(kind) or kind
    return summary(own_doc(cls)) if has_members(cls) or _is_enum(cls) else None


def _annotated(kind: Any) -> str | None:
    """Return the first text in an `Annotated`, or the first text of an object in it."""
    for extra in kind.__metadata__:
        for said in (extra, *(getattr(extra, at, None) for at in ("documentation", "description"))):
            if isinstance(said, str):
                return said
    return None


# -- schemas ---------------------------------------------------------------------------------------


class _Walk:
    """One walk over a type; classes inside it become definitions."""

    def __init__(self) -> None:
        self._defs: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}
        self._referred: set[str] = set()

    def whole(self, root: Any) -> Schema:
        """Return the schema of a type with the definitions that it refers to."""
        root = _plain(root)
        if get_origin(root) is Annotated:
            return self.whole(get_args(root)[0])
        is_class = has_members(get_origin(root) or root)
        schema = self._defs[self._defined(root)] if is_class else self.of(root)
        return self.with_definitions(
            {key: value for key, value in schema.items() if key != "description"}
        )

    def with_definitions(self, schema: Schema) -> Schema:
        """Return a schema with the definitions that are referred to."""
        defs = {name: each for name, each in self._defs.items() if name in self._referred}
        return schema | {"$defs": defs} if defs else schema

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type, a reference where it is a class."""
        kind = _plain(kind)
        origin = get_origin(kind) or kind
        if origin is Annotated:  # first, since what is said may have no hash
            said = _annotated(kind)
            return self.of(get_args(kind)[0]) | ({"description": said} if said else {})
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        if origin in UNIONS:
            return {"anyOf": [self.of(member) for member in get_args(kind)]}
        if is_choice(kind):
            return _choice_schema(kind)
        if origin in ARRAYS:
            return self._array(origin, get_args(kind))
        if origin in DICTS:
            return self._dict(kind)
        return self._reference(kind)

    def _array(self, origin: Any, args: tuple[Any, ...]) -> Schema:
        if origin is tuple and args and args[-1] is not ...:
            schemas = [self.of(each) for each in args]
            count = len(schemas)
            return {"type": "array", "prefixItems": schemas, "minItems": count, "maxItems": count}
        schema: Schema = {"type": "array"}
        if args:
            schema["items"] = self.of(args[0])
        return schema | {"uniqueItems": True} if origin in _SETS else schema

    def _dict(self, kind: Any) -> Schema:
        key, value = get_args(kind) or (str, Any)
        if _plain(key) is not str:
            raise UserError(f"{named(kind)} has keys that are no text, which JSON cannot hold")
        return {"type": "object", "additionalProperties": self.of(value) or True}

    def _reference(self, kind: Any) -> Schema:
        if not has_members(get_origin(kind) or kind):
            hint = "; give its class an argument" if isinstance(kind, TypeVar) else ""
            raise UserError(f"{named(kind)} has no JSON schema{hint}")
        name = self._defined(kind)
        self._referred.add(name)
        return {"$ref": _DEFS + name}

    def _defined(self, kind: Any) -> str:
        """Write the definition of a class, once, and return its name."""
        if kind not in self._names:
            name = self._names[kind] = self._new_name(kind)
            self._defs[name] = {}  # it may hold itself
            said = said_of(kind)
            self._defs[name] |= {"description": said} if said else {}
            self._defs[name] |= self.object(members_of(kind))
        return self._names[kind]

    def _new_name(self, kind: Any) -> str:
        plain = re.sub(r"\W+", "_", _short(kind)).strip("_")
        numbered = (f"{plain}_{number}" for number in itertools.count(2))
        return next(n for n in itertools.chain([plain], numbered) if n not in self._defs)

    def object(self, members: Iterable[Member], more: Schema | bool = False) -> Schema:
        """Return the schema of an object with some members, and of what else it may hold."""
        members = list(members)
        required = [member.name for member in members if member.required]
        return {
            "type": "object",
            "properties": {member.name: self._property(member) for member in members},
            **({"required": required} if required else {}),
            "additionalProperties": more,
        }

    def _property(self, member: Member) -> Schema:
        schema = self.of(member.kind)
        annotated = get_origin(member.kind) is Annotated and _annotated(member.kind)
        if member.description and not annotated:
            schema["description"] = member.description
        default = member.default.value if isinstance(member.default, Enum) else member.default
        if not member.required and _is_json(default):
            schema["default"] = default
        return schema


def _short(kind: Any) -> str:
    """Return the name of a type without its modules."""
    args = [_short(each) for each in get_args(kind)]
    name = getattr(get_origin(kind) or kind, "__name__", str(kind))
    return "_".join([name, *args])


def _choice_schema(kind: Any) -> Schema:
    values = [value for value, _ in choices(kind)]
    names = sorted({_CHOICE_TYPES[type(value)] for value in values})
    schema: Schema = {"type": names[0] if len(names) == 1 else names, "enum": values}
    said = said_of(kind) if _is_enum(kind) else None
    return schema | {"description": said} if said else schema


@functools.lru_cache(256, typed=True)
def _schema(kind: Any) -> tuple[Schema, bool]:
    schema = _Walk().whole(kind)
    is_object = schema.get("type") == "object"
    return (schema if is_object else _wrapped(kind)), not is_object


def _wrapped(kind: Any) -> Schema:
    walk = _Walk()
    return walk.with_definitions(walk.object([Member(OUTER_KEY, kind, required=True)]))


def schema_of(kind: Any) -> Schema:
    """Return the JSON schema of a type: an object, without title and description.

    What is no object is put into one, as its member `OUTER_KEY`.

    Raises:
        UserError: The type has no JSON schema.
    """
    return deepcopy(_known(kind)[0])


def wraps(kind: Any) -> bool:
    """Return whether the schema of a type is that of an object around it."""
    return _known(kind)[1]


def _known(kind: Any) -> tuple[Schema, bool]:
    try:
        hash(kind)
    except TypeError as exc:
        raise UserError(f"{named(kind)} cannot be remembered: {exc}") from None
    return _schema(kind)


def title_of(kind: Any) -> str | None:
    """Return a name for a class or an enum, None for any other type."""
    kind = _plain(kind)
    if get_origin(kind) is Annotated:
        return title_of(get_args(kind)[0])
    return _short(kind) if has_members(get_origin(kind) or kind) or _is_enum(kind) else None


# -- functions -------------------------------------------------------------------------------------


def described(function: Any) -> tuple[str, str | None]:
    """Return name and description of a function, '' where its name is none for a tool."""
    below = _below(function)
    name = getattr(below, "__name__", type(below).__name__)
    doc = own_doc(below) if isinstance(below, type) else inspect.getdoc(_written(function))
    return name if name.isidentifier() else "", summary(doc)


def _below(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _written(function: Any) -> Any:
    """Return the function whose annotations and docstring count."""
    below = _below(function)
    if isinstance(below, type):
        return below.__init__  # type: ignore[misc]
    return inspect.unwrap(below if inspect.isroutine(below) else type(below).__call__)


def parameters_of(function: Any) -> Schema:
    """Return the JSON schema of a function's arguments, as they are given by name.

    A parameter without annotation takes anything. `*args` cannot be given by name and is left
    out; what `**kwargs` takes may be added to the object, otherwise nothing may be.

    Raises:
        UserError: A parameter can be given by position only, or has no JSON schema.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as exc:
        raise UserError(f"The parameters of {function!r} are not known: {exc}") from exc
    written, walk = _written(function), _Walk()
    hints, said = _hints(written), told(inspect.getdoc(written))
    more: Schema | bool = False
    members = []
    for each in parameters:
        hint = hints.get(each.name, Any)
        if each.kind is each.POSITIONAL_ONLY:
            message = f"Parameter {each.name!r} of {named(written)} cannot be given by name"
            raise UserError(message)
        if each.kind is each.VAR_KEYWORD:
            more = walk.of(hint) or True
        elif each.kind is not each.VAR_POSITIONAL:
            required = each.default is each.empty
            members.append(Member(each.name, hint, required, each.default, said.get(each.name)))
    return walk.with_definitions(walk.object(members, more))
