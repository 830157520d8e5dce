"""The kinds of types that are made of others: lists, dicts, unions, classes and aliases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, repeat
from typing import Any

import attrs

from .._validation import MAX_PLACES, ValidationError
from ..exceptions import UserError
from .kinds import Choice, Definitions, Kind, Scalar, Schema, Tried, unfit
from .limits import Limit
from .members import Member, is_json

__all__ = ("Alias", "Array", "Class", "Dict", "Limited", "Union", "bare", "object_schema")


def _read_each(
    entries: Iterable[tuple[Any, Any, Kind]], tried: Tried, exact: bool, missing: Iterable[str] = ()
) -> list[Any]:
    """Return the values of a list or an object, each read as its kind.

    Args:
        entries: Of each value, the step that leads to it, the value and its kind.
        tried: See `Tried`.
        exact: See `Kind.read`.
        missing: Names of what is missing.
    """
    done: list[Any] = []
    found: list[Any] = [([name], "is missing") for name in missing]
    for step, value, kind in entries:
        try:
            done.append(kind.read(value, tried, exact))
        except ValidationError as exc:
            exc.inside(step)
            found += exc.found
            if len(found) >= MAX_PLACES:
                break
    if found:
        raise ValidationError.of(found[:MAX_PLACES])
    return done


def _made(make: Callable[..., Any], /, *args: Any, **members: Any) -> Any:
    """Return what a class makes of values; whatever it raises is a `ValidationError`."""
    try:
        return make(*args, **members)
    except RecursionError:
        raise
    except Exception as exc:
        raise ValidationError(str(exc) or type(exc).__name__) from None


@attrs.frozen(eq=False)
class Array(Kind):
    """What is written as a list.

    Attributes:
        make: Makes the value of a list.
        first: The kinds of the first items.
        rest: The kind of all items between, None where there are none.
        last: The kinds of the last items.
        unique: Whether no item comes twice.
    """

    name: str
    make: Callable[[list[Any]], Any]
    first: tuple[Kind, ...] = ()
    rest: Kind | None = None
    last: tuple[Kind, ...] = ()
    unique: bool = False

    def schema(self, defs: Definitions) -> Schema:
        schema: Schema = {"type": "array"}
        if self.first:
            schema["prefixItems"] = [kind.schema(defs) for kind in self.first]
        if self.rest is not None:
            # No schema can describe what stands behind items of any number.
            members = [each for kind in (self.rest, *self.last) if (each := kind.schema(defs))]
            if members:
                schema["items"] = members[0] if len(members) == 1 else {"anyOf": members}
        if least := len(self.first) + len(self.last):
            schema["minItems"] = least
        if self.rest is None:
            schema["maxItems"] = least
        return schema | {"uniqueItems": True} if self.unique else schema

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        if type(value) is not list:
            raise unfit("a list", value)
        between = len(value) - len(self.first) - len(self.last)
        if between < 0 or (between and self.rest is None):
            least = "" if self.rest is None else "at least "
            count = len(self.first) + len(self.last)
            raise ValidationError(f"must have {least}{count} items, not {len(value)}")
        rest = repeat(self.rest, between) if self.rest is not None else ()
        kinds = chain(self.first, rest, self.last)
        entries = zip(range(len(value)), value, kinds, strict=True)
        return _made(self.make, _read_each(entries, tried, exact))

    def parts(self) -> Iterator[Kind]:
        yield from (*self.first, *([self.rest] if self.rest else ()), *self.last)


@attrs.frozen(eq=False)
class Dict(Kind):
    """A dict whose keys are not known beforehand.

    Attributes:
        make: Makes the value of a dict.
    """

    name: str
    make: Callable[[dict[Any, Any]], Any]
    key: Kind
    value: Kind

    def schema(self, defs: Definitions) -> Schema:
        keys = self.key.key_schema()
        schema: Schema = {
            "type": "object",
            "additionalProperties": self.value.schema(defs) or True,
        }
        return schema | {"propertyNames": keys} if keys else schema

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        if type(value) is not dict:
            raise unfit("an object", value)
        keys = _read_each(((key, key, _Key(self.key)) for key in value), tried, exact)
        entries = zip(value, value.values(), repeat(self.value), strict=False)
        values = _read_each(entries, tried, exact)
        return _made(self.make, dict(zip(keys, values, strict=True)))

    def parts(self) -> Iterator[Kind]:
        yield self.value


@attrs.frozen(eq=False)
class _Key(Kind):
    """A kind as it is read from the key of an object."""

    kind: Kind

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        return self.kind.read_key(value, tried)


@attrs.frozen(eq=False)
class Union(Kind):
    """A value of one of several kinds.

    The first member that is exactly what was written is taken, else the first that fits. Of
    classes those that know more of the keys come first.
    """

    name: str
    members: tuple[Kind, ...]

    @property
    def _wanted(self) -> str:
        return f"one of {', '.join(member.name for member in self.members)}"

    def schema(self, defs: Definitions) -> Schema:
        return {"anyOf": [member.schema(defs) for member in self.members]}

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        some = [member for member in self.members if member.name != "None"]
        if value is not None and len(some) == 1:
            return some[0].read(value, tried, exact)  # whose error says more
        key = id(value), id(self), exact
        found = tried.get(key, tried)
        if found is tried:
            found = self._first_fit(value, tried, exact)
            if type(value) in (dict, list):
                tried[key] = found
        if isinstance(found, ValidationError):
            raise ValidationError.of(found.found)  # whose places grow
        return found

    def _first_fit(self, value: Any, tried: Tried, exact: bool) -> Any:
        members = list(self.members)
        if type(value) is dict:
            # Of classes first those that know more of the keys.
            classes = {each: bare(each) for each in members}
            known = {each: cls for each, cls in classes.items() if isinstance(cls, Class)}
            tagged = [each for each, cls in known.items() if cls.is_tagged(value)]
            members = tagged or sorted(
                members,
                key=lambda each: -len(known[each].names & value.keys()) if each in known else 0,
            )
        errors: list[ValidationError] = []
        for exactly in (True,) if exact else (True, False):
            errors.clear()
            for member in members:
                try:
                    return member.read(value, tried, exactly)
                except ValidationError as exc:
                    errors.append(exc)
        fitting = [
            invalid
            for member, invalid in zip(members, errors, strict=True)
            if type(value) is _shape(member)
        ]
        if len(fitting) == 1:  # which says more
            return fitting[0]
        return unfit(self._wanted, value)

    def read_key(self, text: str, tried: Tried) -> Any:
        for member in self.members:
            try:
                return member.read_key(text, tried)
            except ValidationError:
                continue
        raise unfit(self._wanted, text)

    def key_schema(self) -> Schema | None:
        keys = [member.key_schema() for member in self.members]
        if None in keys:
            return None
        return {"anyOf": keys} if all(keys) else {}

    def parts(self) -> Iterator[Kind]:
        yield from self.members


@attrs.frozen(eq=False)
class Limited(Kind):
    """A kind with what its `Annotated` says: a description, and limits of the value."""

    name: str
    inner: Kind
    limits: tuple[Limit, ...] = ()
    description: str | None = None

    def schema(self, defs: Definitions) -> Schema:
        schema = self.inner.schema(defs)
        types, untold = _types_of(self.inner), []
        for limit in self.limits:
            keywords = limit.keywords(types)
            schema |= keywords
            untold += [] if keywords else [limit.text]
        description = self.description or schema.get("description")
        if untold:
            description = (
                f"{description} ({', '.join(untold)})" if description else ", ".join(untold)
            )
        return schema | {"description": description} if description else schema

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        return self._checked(self.inner.read(value, tried, exact), value)

    def read_key(self, text: str, tried: Tried) -> Any:
        return self._checked(self.inner.read_key(text, tried), text)

    def _checked(self, made: Any, value: Any) -> Any:
        for limit in self.limits:
            if not limit.holds(made):
                raise unfit(limit.text, value)
        return made

    def key_schema(self) -> Schema | None:
        keys = self.inner.key_schema()
        if keys is None or "string" not in _types_of(self.inner):
            return keys
        for limit in self.limits:
            keys |= limit.keywords({"string"})
        return keys

    def parts(self) -> Iterator[Kind]:
        yield self.inner


def bare(kind: Kind) -> Kind:
    """Return a kind without limits and other names."""
    while isinstance(kind, (Limited, Alias)):
        kind = kind.inner
    return kind


def _shape(kind: Kind) -> type | None:
    """Return the type of JSON values with parts that a kind is written as."""
    kind = bare(kind)
    if isinstance(kind, Array):
        return list
    return dict if isinstance(kind, (Class, Dict)) else None


def _types_of(kind: Kind) -> set[str]:
    """Return the JSON types whose keywords say what a limit of a kind says."""
    match kind:
        case Scalar(own_schema={"type": str(name)}) if not kind.own_schema.get("format"):
            return {name}
        case Array():
            return {"array"}
        case Dict():
            return {"object"}
        case Union() | Limited() | Alias():
            return set().union(*map(_types_of, kind.parts()))
    return set()


@attrs.frozen(eq=False, slots=False)
class Alias(Kind):
    """A type alias that is a class of its own: it may hold itself."""

    key: Any
    name: str
    resolve: Callable[[], Kind]

    @cached_property
    def inner(self) -> Kind:
        """What it stands for."""
        return self.resolve()

    @cached_property
    def _holds_itself(self) -> bool:
        return self in _reached(self, (Alias, Array, Dict, Limited, Union))

    def schema(self, defs: Definitions) -> Schema:
        if self in _reached(self, (Alias, Limited, Union)):
            raise UserError(f"{self.name} stands for itself, and has no JSON schema")
        return defs.refer(self) if self._holds_itself else self.inner.schema(defs)

    def definition(self, defs: Definitions) -> Schema:
        """Return the schema that a reference points at."""
        return self.inner.schema(defs)

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        return self.inner.read(value, tried, exact)

    def read_key(self, text: str, tried: Tried) -> Any:
        return self.inner.read_key(text, tried)

    def key_schema(self) -> Schema | None:
        return None if self._holds_itself else self.inner.key_schema()

    def parts(self) -> Iterator[Kind]:
        yield self.inner


def _reached(start: Kind, through: tuple[type[Kind], ...]) -> set[Kind]:
    """Return the kinds that the schema of one leads to, through some kinds of kinds."""
    found: set[Kind] = set()
    waiting = [start]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, through):
            new = set(kind.parts()) - found
            found |= new
            waiting += new
    return found


@attrs.frozen(eq=False, slots=False)
class Class(Kind):
    """A class whose members are known.

    Attributes:
        make: Makes an object of its members, given by name.
        resolve: Returns the members, their `kind` a `Kind`.
        description: What is written about it, for the model.
        is_tuple: Whether it may be written as a list too.
    """

    key: Any
    name: str
    make: Callable[..., Any]
    resolve: Callable[[], tuple[Member, ...]]
    description: str | None = None
    is_tuple: bool = False

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Its members."""
        return self.resolve()

    def is_tagged(self, value: Any) -> bool:
        """Return whether a value has the constants that tell this class from others."""
        tags = [
            (each.name, each.kind)
            for each in self.members
            if isinstance(each.kind, Choice) and len(each.kind.options) == 1
        ]
        return bool(tags) and all(
            name in value and kind.options[0][0] == value[name] for name, kind in tags
        )

    def schema(self, defs: Definitions) -> Schema:
        return defs.refer(self)

    def definition(self, defs: Definitions) -> Schema:
        """Return the schema that a reference points at."""
        description: Schema = {"description": self.description} if self.description else {}
        return description | object_schema(self.members, defs)

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        if self.is_tuple and type(value) is list and len(value) <= len(self.members):
            value = dict(zip((each.name for each in self.members), value, strict=False))
        if type(value) is not dict:
            raise unfit("an object", value)
        given = {each.name: each.kind for each in self.members if each.name in value}
        missing = (each.name for each in self.members if each.required and each.name not in given)
        entries = ((name, value[name], kind) for name, kind in given.items())
        values = _read_each(entries, tried, False, missing)
        return _made(self.make, **dict(zip(given, values, strict=True)))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of its members."""
        return frozenset(member.name for member in self.members)


def object_schema(
    members: Iterable[Member], defs: Definitions, more: Schema | bool = False
) -> Schema:
    """Return the schema of an object with some members, and of what else it may hold."""
    properties, required = {}, []
    for member in members:
        schema = member.kind.schema(defs)
        annotated = isinstance(member.kind, Limited) and member.kind.description
        if member.description and not annotated:
            schema["description"] = member.description
        if member.required:
            required.append(member.name)
        elif is_json(member.json_default):
            schema["default"] = member.json_default
        properties[member.name] = schema
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": more,
    }
