"""From annotations to kinds."""

from __future__ import annotations

import collections
import collections.abc as abc
import functools
import types
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

import attrs

from .._docstrings import own_doc, summary
from ..exceptions import UserError
from .compounds import Alias, Array, Class, Dict, Limited, Union
from .external import external_kind
from .kinds import Choice, Kind
from .limits import limits_of
from .members import (
    Member,
    arguments_of,
    bound,
    evaluated,
    has_members,
    is_json,
    is_typed_dict,
    members_of,
)
from .scalars import ANYTHING, SCALARS

__all__ = ("Resolver", "named")

_UNIONS = (typing.Union, types.UnionType)
_WRAPPERS = ("Final", "ClassVar", "Required", "NotRequired", "ReadOnly")

# What makes the value of a type that JSON has an array for.
_ARRAYS: dict[Any, Callable[[list[Any]], Any]] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable), list),
    **dict.fromkeys((set, abc.Set, abc.MutableSet), set),
    frozenset: frozenset,
    tuple: tuple,
    collections.deque: collections.deque,
}
_SETS = (set, frozenset, abc.Set, abc.MutableSet)
_DICTS: dict[Any, Callable[[Any], Any]] = {
    **dict.fromkeys((dict, abc.Mapping, abc.MutableMapping, collections.defaultdict), dict),
    collections.OrderedDict: collections.OrderedDict,
    collections.Counter: collections.Counter,
}
_FACTORIES = (list, dict, set, int, float, str, bool)

MAX_VARIANTS = 100
MAX_WRITTEN = 10_000
"""Kinds of one generic class or alias, and characters of each as a type.

One that holds itself with ever longer arguments would have no end.
"""


def named(annotation: Any) -> str:
    """Return the name of a type as an error shows it."""
    if get_args(annotation):
        return str(annotation).replace("typing.", "")
    return getattr(annotation, "__name__", None) or str(annotation)


def _key(annotation: Any) -> Any:
    try:
        hash(annotation)
    except TypeError:
        return repr(annotation)
    return annotation


class Resolver:
    """Turns annotations into kinds; a class or an alias that comes again is the same kind."""

    def __init__(self) -> None:
        self._known: dict[Any, Kind] = {}
        self._variants: collections.Counter[Any] = collections.Counter()

    def kind(self, annotation: Any, owner: Any = None) -> Kind:
        """Return the kind of an annotation.

        Args:
            annotation: The annotation.
            owner: The class that it stands in, which `Self` means.

        Raises:
            UserError: It has no JSON schema.
        """
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is Annotated:  # first, since what is said may have no hash
            return self._limited(annotation, owner)
        if (inner := getattr(annotation, "__supertype__", None)) is not None:  # a NewType
            return self.kind(inner, owner)
        if annotation is Final:
            return ANYTHING
        if getattr(origin, "_name", None) in _WRAPPERS:
            return self.kind(args[0], owner)
        if annotation is typing.Self and owner is not None:
            return self.kind(owner)
        cls = annotation if origin is None else origin
        if hasattr(cls, "__value__") and hasattr(cls, "__type_params__"):
            return self._once(annotation, functools.partial(self._alias, annotation))
        if isinstance(annotation, TypeVar):
            return self._variable(annotation, owner)
        if origin in _UNIONS:
            members = tuple(self.kind(each, owner) for each in args)
            return Union(named(annotation), members)
        if origin is Literal:
            return _choice(annotation, args)
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            description = summary(own_doc(annotation))
            return attrs.evolve(
                _choice(annotation, tuple(annotation)), description=description, cls=annotation
            )
        if not isinstance(cls, abc.Hashable):
            raise UserError(f"{annotation!r} is not a type")
        if cls in SCALARS and bytes not in args:
            return SCALARS[cls]
        if cls in _ARRAYS:
            return self._array(annotation, cls, args, owner)
        if cls in _DICTS:
            return self._dict(annotation, cls, args, owner)
        return self._once(annotation, functools.partial(self._class, annotation, cls))

    def _once(self, annotation: Any, make: Callable[[], Kind]) -> Kind:
        key = _key(annotation)
        if key not in self._known:
            origin, name = get_origin(annotation) or annotation, named(annotation)
            self._variants[origin] += 1
            if self._variants[origin] > MAX_VARIANTS or len(name) > MAX_WRITTEN:
                raise UserError(f"{name:.80} has no JSON schema: it holds endless other types")
            self._known[key] = make()
        return self._known[key]

    def _limited(self, annotation: Any, owner: Any) -> Kind:
        extras = annotation.__metadata__
        description = next(_texts(extras), None)
        if (validated := external_kind(annotation)) is not None:  # which checks the limits too
            return Limited(validated.name, validated, (), description)
        inner = self.kind(get_args(annotation)[0], owner)
        return Limited(inner.name, inner, tuple(limits_of(extras)), description)

    def _variable(self, variable: Any, owner: Any) -> Kind:
        """Return what a type variable stands for where nothing is given for it."""
        if getattr(variable, "has_default", bool)():
            return self.kind(variable.__default__, owner)
        if variable.__constraints__:
            return self.kind(typing.Union[variable.__constraints__], owner)  # noqa: UP007
        if variable.__bound__ is not None:
            return self.kind(variable.__bound__, owner)
        raise UserError(f"{variable} has no JSON schema; give its class an argument")

    def _alias(self, annotation: Any) -> Kind:
        alias = get_origin(annotation) or annotation
        names = {alias.__name__: alias, **{each.__name__: each for each in alias.__type_params__}}
        given = dict(zip(alias.__type_params__, get_args(annotation), strict=False))

        def resolve() -> Kind:
            return self.kind(bound(evaluated(alias.__value__, alias.__module__, names), given))

        return Alias(_key(annotation), named(annotation), resolve)

    def _array(self, annotation: Any, cls: Any, args: tuple[Any, ...], owner: Any) -> Kind:
        name, make = named(annotation), _ARRAYS[cls]
        if cls is not tuple or annotation in (tuple, typing.Tuple):  # noqa: UP006
            rest = self.kind(args[0], owner) if args else ANYTHING
            return Array(name, make, rest=rest, unique=cls in _SETS)
        first: list[Kind] = []
        last: list[Kind] = []
        rest_of_all: Kind | None = None
        for each, is_repeated in _unpacked(args):
            kind = self.kind(each, owner)
            if is_repeated:
                rest_of_all = kind
            else:
                (first if rest_of_all is None else last).append(kind)
        return Array(name, make, tuple(first), rest_of_all, tuple(last))

    def _dict(self, annotation: Any, cls: Any, args: tuple[Any, ...], owner: Any) -> Kind:
        counts = (int,) if cls is collections.Counter else ()
        key_type, value_type = (*args, *counts) if args else (Any, *(counts or (Any,)))
        key, value = self.kind(key_type, owner), self.kind(value_type, owner)
        if key.key_schema() is None:
            raise UserError(f"{named(annotation)} has keys that JSON cannot hold")
        make: Callable[[Any], Any] = _DICTS[cls]
        if cls is collections.defaultdict:
            plain = get_origin(value_type) or value_type
            factory: Any = plain if plain in _FACTORIES else None
            make = functools.partial(collections.defaultdict, factory)
        return Dict(named(annotation), make, key, value)

    def _class(self, annotation: Any, cls: Any) -> Kind:
        if (found := external_kind(annotation)) is not None:
            return found
        if not has_members(cls):
            raise UserError(f"{named(annotation)} has no JSON schema")

        return Class(
            _key(annotation),
            named(annotation),
            dict if is_typed_dict(cls) else cls,
            functools.partial(self.members, annotation),
            description=summary(own_doc(cls)),
            is_tuple=issubclass(cls, tuple),
        )

    def members(self, annotation: Any) -> tuple[Member, ...]:
        """Return the members of a class, each with its `Kind`."""
        given = arguments_of(annotation)
        return tuple(
            attrs.evolve(member, kind=self.kind(bound(member.kind, given), annotation))
            for member in members_of(get_origin(annotation) or annotation)
        )


def _choice(annotation: Any, members: tuple[Any, ...]) -> Choice:
    options = tuple((each.value if isinstance(each, Enum) else each, each) for each in members)
    if bad := [value for value, _ in options if not is_json(value)]:
        raise UserError(f"{named(annotation)} has a value that JSON cannot hold: {bad[0]!r}")
    return Choice(named(annotation), options)


def _unpacked(args: tuple[Any, ...]) -> Iterator[tuple[Any, bool]]:
    """Yield the types of a tuple's items, and of each whether it may come any number of times."""
    if len(args) == 2 and args[1] is ...:
        yield args[0], True
        return
    for each in args:
        if get_origin(each) is typing.Unpack:
            yield from _unpacked(get_args(get_args(each)[0]))
        elif getattr(each, "__unpacked__", False):
            yield from _unpacked(get_args(each))
        else:
            yield each, False


def _texts(extras: tuple[Any, ...]) -> Iterator[str]:
    """Yield the texts in an `Annotated`, and those of the objects in it."""
    for extra in extras:
        for text in (extra, *(getattr(extra, at, None) for at in ("documentation", "description"))):
            if isinstance(text, str):
                yield text
