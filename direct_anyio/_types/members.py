"""The members of attrs classes, dataclasses, TypedDicts and named tuples."""

from __future__ import annotations

import dataclasses
import math
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar, get_args, get_origin

import attrs

from .._docstrings import class_descriptions
from ..exceptions import UserError

__all__ = (
    "Member",
    "arguments_of",
    "bound",
    "evaluated",
    "has_members",
    "hints_of",
    "is_json",
    "is_typed_dict",
    "members_of",
)


@attrs.frozen
class Member:
    """A field of a class, or a parameter of a function.

    Attributes:
        kind: Its annotation, later its `Kind`.
    """

    name: str
    kind: Any
    required: bool
    default: Any = ...  # no default; one that JSON cannot hold is left out of schemas, too
    description: str | None = None

    @property
    def json_default(self) -> Any:
        """The default as JSON has it, if it has it."""
        return self.default.value if isinstance(self.default, Enum) else self.default


def is_json(value: Any) -> bool:
    """Return whether a value is text, a number, a bool or None, as JSON has them."""
    return (
        value is None
        or type(value) in (str, int, bool)
        or (type(value) is float and math.isfinite(value))
    )


def hints_of(of: Any) -> dict[str, Any]:
    """Return the annotations of a class or a function, without forward references.

    Raises:
        UserError: A name in one of them is not known.
    """
    try:
        try:
            return typing.get_type_hints(of, include_extras=True)
        except NameError:  # a class inside of a function may name itself
            own = {**vars(of), of.__name__: of} if isinstance(of, type) else {}
            return typing.get_type_hints(of, localns=own, include_extras=True)
    except Exception as exc:  # an annotation may be any expression
        name = getattr(of, "__qualname__", of)
        raise UserError(
            f"The annotations of {name} cannot be read: {exc}; they must be importable names"
        ) from exc


def evaluated(annotation: Any, module: str | None, names: Mapping[str, Any]) -> Any:
    """Return an annotation that stands outside of a class without forward references.

    Args:
        annotation: The annotation.
        module: The name of the module that it stands in.
        names: Names that it may use beside the module's.
    """
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    scope = {**vars(sys.modules.get(module or "", typing)), **names}
    try:
        return typing.get_type_hints(holder, scope, scope, include_extras=True)["it"]
    except Exception as exc:
        raise UserError(f"The type alias {annotation!r} cannot be read: {exc}") from exc


def attrs_members(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    """Yield the members of an attrs class."""
    for field in attrs.fields(cls):
        if field.init:
            required = field.default is attrs.NOTHING
            description = field.metadata.get("description")
            hint = hints.get(field.name, field.type or Any)
            yield Member(field.alias or field.name, hint, required, field.default, description)


def dataclass_members(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    """Yield the members of a dataclass."""
    missing = dataclasses.MISSING
    # `dataclasses.fields` leaves out an `InitVar`, which the constructor may need.
    for field in cls.__dataclass_fields__.values():
        hint = hints.get(field.name, field.type)
        if isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        elif hint is ClassVar or get_origin(hint) is ClassVar or not field.init:
            continue
        required = field.default is missing and field.default_factory is missing
        description = field.metadata.get("description")
        yield Member(field.name, hint, required, field.default, description)


_MARKS = {"Required": True, "NotRequired": False, "ReadOnly": None}


def typed_dict_members(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    """Yield the keys of a TypedDict."""
    for name, hint in hints.items():
        required = name in cls.__required_keys__
        # The class itself misses these in annotations that are text.
        while (form := getattr(get_origin(hint), "_name", None)) in _MARKS:
            required = required if (mark := _MARKS[form]) is None else mark
            hint = get_args(hint)[0]
        yield Member(name, hint, required)


def named_tuple_members(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    """Yield the fields of a named tuple."""
    for name in cls._fields:
        default = cls._field_defaults.get(name, ...)
        yield Member(name, hints.get(name, Any), name not in cls._field_defaults, default)


def is_typed_dict(cls: type) -> bool:
    """Return whether a class is a TypedDict."""
    return issubclass(cls, dict) and hasattr(cls, "__total__")


_CLASSES: tuple[tuple[Callable[[Any], bool], Callable[..., Iterator[Member]]], ...] = (
    (attrs.has, attrs_members),
    (dataclasses.is_dataclass, dataclass_members),
    (is_typed_dict, typed_dict_members),
    (lambda cls: issubclass(cls, tuple) and hasattr(cls, "_fields"), named_tuple_members),
)


def has_members(cls: Any) -> bool:
    """Return whether something is a class of a kind whose members are known."""
    return isinstance(cls, type) and any(applies(cls) for applies, _ in _CLASSES)


def members_of(cls: Any) -> tuple[Member, ...]:
    """Return the members of a class that has some, as they are annotated."""
    read = next(read for applies, read in _CLASSES if applies(cls))
    descriptions = class_descriptions(cls)
    return tuple(
        attrs.evolve(member, description=member.description or descriptions.get(member.name))
        for member in read(cls, hints_of(cls))
    )


def arguments_of(annotation: Any) -> dict[Any, Any]:
    """Return what each type variable of a class and its bases stands for."""
    cls = get_origin(annotation) or annotation
    given: dict[Any, Any] = {}
    for base in getattr(cls, "__orig_bases__", ()):
        if get_origin(base) not in (None, typing.Generic, typing.Protocol):
            given |= arguments_of(base)
    own = dict(zip(getattr(cls, "__parameters__", ()), get_args(annotation), strict=False))
    return {name: bound(each, own) for name, each in given.items()} | own


def bound(annotation: Any, given: Mapping[Any, Any]) -> Any:
    """Return an annotation with type variables replaced by what they stand for."""
    if isinstance(annotation, TypeVar):
        return given.get(annotation, annotation)
    free = free_variables(annotation)
    return annotation[tuple(given.get(each, each) for each in free)] if free else annotation


def free_variables(annotation: Any) -> tuple[Any, ...]:
    """Return the type variables that an annotation leaves open."""
    of_pydantic = getattr(annotation, "__pydantic_generic_metadata__", None)
    if of_pydantic is not None:
        return tuple(of_pydantic["parameters"])
    return getattr(annotation, "__parameters__", ()) if get_args(annotation) else ()
