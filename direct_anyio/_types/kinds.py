"""The kinds of types: each gives its JSON schema and reads the values that the schema allows.

Reading guesses nothing: "5" is no number and "false" is no bool. A whole number is a float too,
and a float without a fraction an integer. What does not fit is a `Misfit` that names its places;
the time is linear in the size of the value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import chain, repeat
from typing import Any, NoReturn, Protocol, TypeAlias

import attrs

from ..exceptions import UserError
from .limits import Limit
from .members import Member, is_json
from .misfits import MAX_PLACES, Misfit, made, refuse, unfit

__all__ = (
    "DEFS",
    "Alias",
    "Array",
    "Choice",
    "Class",
    "Definitions",
    "Dict",
    "Kind",
    "Limited",
    "Scalar",
    "Schema",
    "Tried",
    "Union",
    "object_schema",
)

DEFS = "#/$defs/"
"""What a reference to a definition starts with."""

Schema: TypeAlias = dict[str, Any]
Tried: TypeAlias = dict[tuple[int, int, bool], Any]
"""What each union read each value as, or the `Misfit`, by the ids of both and `exact`.

Unions within each other would otherwise read what is inside them again and again.
"""


def _read_each(
    entries: Iterable[tuple[Any, Any, Kind]], tried: Tried, exact: bool, *found: Any
) -> list[Any]:
    """Return the values of a list or an object, each read as its kind.

    Args:
        entries: Of each value, the step that leads to it, the value and its kind.
        tried: See `Tried`.
        exact: See `Kind.read`.
        found: What is known not to fit before.
    """
    done, misfits = [], list(found)
    for step, value, kind in entries:
        try:
            done.append(kind.read(value, tried, exact))
        except Misfit as exc:
            for steps, _ in exc.found:
                steps.append(step)
            misfits += exc.found
            if len(misfits) >= MAX_PLACES:
                break
    if misfits:
        raise Misfit(*misfits[:MAX_PLACES])
    return done


class Definitions(Protocol):
    """Collects the definitions that a schema refers to."""

    def refer(self, kind: Class | Alias) -> Schema:
        """Return a reference to the definition of a kind."""
        ...

    def adopt(self, guest: Any) -> Schema:
        """Return the schema of a `guests.Guest`, a reference to it where it is a class."""
        ...


class Kind:
    """What an annotation means.

    Attributes:
        name: What an error calls it.
    """

    name: str

    def schema(self, defs: Definitions) -> Schema:
        """Return the JSON schema."""
        raise NotImplementedError

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        """Return a JSON value as a value of this kind.

        Args:
            value: What `json.loads` returned.
            tried: See `Tried`.
            exact: Whether an integer is no float, and a date no date and time. A union looks
                for such a member first. Inside of classes nothing needs to be exact.

        Raises:
            Misfit: It does not fit.
        """
        raise NotImplementedError

    def read_key(self, text: str, tried: Tried) -> Any:
        """Return the key of a JSON object as a value of this kind.

        Raises:
            Misfit: It does not fit.
        """
        return self.read(text, tried)

    def key_schema(self) -> Schema | None:
        """Return the schema of such keys, {} for any text, None where none can be a key."""
        return None

    def parts(self) -> Iterator[Kind]:
        """Yield the kinds whose schemas stand inside of this one's."""
        yield from ()


@attrs.frozen(eq=False)
class Scalar(Kind):
    """A value that JSON has no parts for.

    Attributes:
        takes: The types of JSON values that it is read from; empty for all.
        wanted: What an error calls such a value.
        make: Makes the value; a ValueError, ArithmeticError or LookupError says that it cannot.
        is_exact: Whether a JSON value is of no narrower kind.
    """

    name: str
    own_schema: Schema
    takes: tuple[type, ...]
    wanted: str
    make: Callable[[Any], Any]
    is_exact: Callable[[Any], bool] = lambda value: True

    def schema(self, defs: Definitions) -> Schema:
        return dict(self.own_schema)

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        if self.takes and type(value) not in self.takes:
            refuse(self.wanted, value)
        if exact and not self.is_exact(value):
            refuse(self.wanted, value)
        try:
            return self.make(value)
        except (ValueError, ArithmeticError, LookupError):
            refuse(self.wanted, value)

    def read_key(self, text: str, tried: Tried) -> Any:
        if not self.takes or str in self.takes:
            return self.read(text, tried)
        try:
            return self.read(json.loads(text), tried)
        except (ValueError, RecursionError, Misfit):
            refuse(self.wanted, text)

    def key_schema(self) -> Schema | None:
        if self.own_schema in ({}, {"type": "string"}):
            return {}
        return _KEYS.get(self.own_schema["type"], self.own_schema)


_KEYS: dict[str, Schema] = {
    "boolean": {"enum": ["true", "false"]},
    "integer": {"pattern": "^-?[0-9]+$"},
    "null": {"enum": ["null"]},
    "number": {"pattern": "^-?[0-9]+([.][0-9]+)?$"},
}

_CHOICE_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


@attrs.frozen(eq=False)
class Choice(Kind):
    """A literal or an enum.

    Attributes:
        options: JSON value and value of each.
        said: What is written about it, for the model.
        cls: The enum.
    """

    name: str
    options: tuple[tuple[Any, Any], ...]
    said: str | None = None
    cls: type | None = None

    def schema(self, defs: Definitions) -> Schema:
        values = [value for value, _ in self.options]
        types = sorted({_CHOICE_TYPES.get(type(value), "null") for value in values})
        schema: Schema = {"type": types[0] if len(types) == 1 else types, "enum": values}
        return schema | {"description": self.said} if self.said else schema

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        for said, choice in self.options:
            same = type(said) is type(value)
            whole = not exact and {type(said), type(value)} == {int, float}
            if (same or whole) and said == value:
                return choice
        self._refuse(value)

    def _refuse(self, value: Any) -> NoReturn:
        refuse(f"one of {', '.join(json.dumps(said) for said, _ in self.options)}", value)

    def read_key(self, text: str, tried: Tried) -> Any:
        for said, choice in self.options:
            if text == _key_text(said):
                return choice
        self._refuse(text)

    def key_schema(self) -> Schema | None:
        return {"enum": [_key_text(said) for said, _ in self.options]}


def _key_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
            # What stands behind items of any number can be told apart by no schema.
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
            refuse("a list", value)
        between = len(value) - len(self.first) - len(self.last)
        if between < 0 or (between and self.rest is None):
            least = "" if self.rest is None else "at least "
            count = len(self.first) + len(self.last)
            raise Misfit(([], f"must have {least}{count} items, not {len(value)}"))
        rest = repeat(self.rest, between) if self.rest is not None else ()
        kinds = chain(self.first, rest, self.last)
        entries = zip(range(len(value)), value, kinds, strict=True)
        return made(self.make, _read_each(entries, tried, exact))

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
            refuse("an object", value)
        keys = _read_each(((key, key, _Key(self.key)) for key in value), tried, exact)
        entries = zip(value, value.values(), repeat(self.value), strict=False)
        values = _read_each(entries, tried, exact)
        return made(self.make, dict(zip(keys, values, strict=True)))

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
        if isinstance(found, Misfit):
            raise found.copy()
        return found

    def _first_fit(self, value: Any, tried: Tried, exact: bool) -> Any:
        members = self._likely(value)
        misfits: list[Misfit] = []
        for exactly in (True,) if exact else (True, False):
            misfits.clear()
            for member in members:
                try:
                    return member.read(value, tried, exactly)
                except Misfit as exc:
                    misfits.append(exc)
        fitting = [
            misfit
            for member, misfit in zip(members, misfits, strict=True)
            if type(value) is _shape(member)
        ]
        if len(fitting) == 1:  # which says more
            return fitting[0]
        return Misfit(([], partial(unfit, self._wanted, value)))

    def _likely(self, value: Any) -> list[Kind]:
        """Return the members to try, of classes those that know more of the keys first."""
        if type(value) is not dict:
            return list(self.members)
        classes = {each: _bare(each) for each in self.members}
        known = {each: cls for each, cls in classes.items() if isinstance(cls, Class)}
        tagged = [each for each, cls in known.items() if cls.is_tagged(value)]
        return tagged or sorted(
            self.members,
            key=lambda each: -len(known[each].names & value.keys()) if each in known else 0,
        )

    def read_key(self, text: str, tried: Tried) -> Any:
        for member in self.members:
            try:
                return member.read_key(text, tried)
            except Misfit:
                continue
        refuse(self._wanted, text)

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
    said: str | None = None

    def schema(self, defs: Definitions) -> Schema:
        schema = self.inner.schema(defs)
        types, untold = _types_of(self.inner), []
        for limit in self.limits:
            keywords = limit.keywords(types)
            schema |= keywords
            untold += [] if keywords else [limit.told]
        said = self.said or schema.get("description")
        if untold:
            said = f"{said} ({', '.join(untold)})" if said else ", ".join(untold)
        return schema | {"description": said} if said else schema

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        return self._checked(self.inner.read(value, tried, exact), value)

    def read_key(self, text: str, tried: Tried) -> Any:
        return self._checked(self.inner.read_key(text, tried), text)

    def _checked(self, made: Any, value: Any) -> Any:
        for limit in self.limits:
            if not limit.holds(made):
                refuse(limit.told, value)
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


def _bare(kind: Kind) -> Kind:
    """Return a kind without limits and other names."""
    while isinstance(kind, (Limited, Alias)):
        kind = kind.inner
    return kind


def _shape(kind: Kind) -> type | None:
    """Return the type of JSON values with parts that a kind is written as."""
    kind = _bare(kind)
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
        said: What is written about it, for the model.
        is_tuple: Whether it may be written as a list too.
    """

    key: Any
    name: str
    make: Callable[..., Any]
    resolve: Callable[[], tuple[Member, ...]]
    said: str | None = None
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
        said: Schema = {"description": self.said} if self.said else {}
        return said | object_schema(self.members, defs)

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        if self.is_tuple and type(value) is list and len(value) <= len(self.members):
            value = dict(zip((each.name for each in self.members), value, strict=False))
        if type(value) is not dict:
            refuse("an object", value)
        given = {each.name: each.kind for each in self.members if each.name in value}
        missing = [
            ([each.name], "is missing")
            for each in self.members
            if each.required and each.name not in given
        ]
        entries = ((name, value[name], kind) for name, kind in given.items())
        values = _read_each(entries, tried, False, *missing)
        return made(self.make, **dict(zip(given, values, strict=True)))

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
        annotated = isinstance(member.kind, Limited) and member.kind.said
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
