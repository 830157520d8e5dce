"""The JSON schema of a type, and of a function's arguments.

Guarantees:

1.  Known are attrs classes, dataclasses, TypedDicts, named tuples, models and types of pydantic's,
    generics of these, type aliases, enums, literals, unions, lists, sets, tuples, dicts whose keys
    JSON can hold, `Any`, and the types of `_types.scalars`. Any other type, alone or inside, is a
    `UserError` that names it.
2.  The root is an object. Classes inside it are definitions; there are no titles but those that
    were given to a model of pydantic's.
3.  Descriptions come from `Annotated`, else from the `description` in a field's metadata, else
    from the docstring. Limits come from `Annotated`.
4.  What has a schema can be read back: both are made of the same kinds (`_types`).

It is written here because msgspec, the best kept library for it, refuses unions of two classes
or of a date and a text, ignores aliases, and takes descriptions in its own words only. The
others know no attrs classes, or are no longer kept.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import typing
from collections.abc import Iterator
from copy import deepcopy
from typing import Annotated, Any, Final, get_args, get_origin

import attrs

from ._docstrings import argument_descriptions, class_descriptions, own_doc, summary
from ._types.annotations import Resolver, named
from ._types.compounds import Alias, Class, Limited, bare, object_schema
from ._types.external import External, external_kind
from ._types.kinds import DEFS, Choice, Kind, Schema
from ._types.members import Member, hints_of
from .exceptions import UserError

__all__ = (
    "OUTER_KEY",
    "Known",
    "described",
    "kind_of_arguments",
    "known",
    "parameters_of",
    "description_of",
    "schema_of",
    "title_of",
)

OUTER_KEY: Final = "response"
"""The member of an object that holds an output which is no object itself."""

_MAX_NAME = 64  # of a tool or a schema, at OpenAI and Anthropic


class _Definitions:
    """The definitions of one schema: classes, aliases that hold themselves, external types."""

    def __init__(self) -> None:
        self._defs: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}
        self._waiting: list[Class | Alias] = []
        self._of_external: set[str] = set()

    def refer(self, kind: Class | Alias) -> Schema:
        """Return a reference to the definition of a kind."""
        if kind.key not in self._names:
            plain = _fit_name(_short(kind.key)) or "type"
            name = next(plain + end for end in _endings() if plain + end not in self._defs)
            self._names[kind.key] = name
            self._defs[name] = {}
            self._waiting.append(kind)
        return {"$ref": DEFS + self._names[kind.key]}

    def embed(self, external: External) -> Schema:
        """Return the schema of an external type, a reference to it where it is a class."""
        if not external.is_class:
            return self._embedded(external)
        if external.key not in self._names:
            self._embedded(external, refers=True)
        return {"$ref": DEFS + self._names[external.key]}

    def _embedded(self, external: External, *, refers: bool = False) -> Schema:
        """Return the schema of an external type, whose definitions are taken over.

        Where other ones have their names, it is asked again with other names.

        Args:
            external: The type.
            refers: Whether the schema itself becomes a definition.
        """
        endings = _endings()
        while True:
            ending = next(endings)
            root = external.json_schema(ending)
            defs = {name + ending: each for name, each in root.pop("$defs", {}).items()}
            name = root.get("$ref", "").removeprefix(DEFS)
            if name:  # it holds itself
                root = defs[name]
            elif refers:
                name = external.name + ending
                while name in defs:
                    name += "_"
                defs[name] = root
            # A name is free, or has this very definition from another such type.
            known = {each: self._defs[each] for each in defs.keys() & self._defs.keys()}
            if known.keys() <= self._of_external and all(
                defs[each] == known[each] for each in known
            ):
                break
        self._defs |= defs
        self._of_external |= defs.keys()
        if name:
            self._names[external.key] = name
        return root

    def whole(self, kind: Kind) -> Schema:
        """Return the schema of a kind with its definitions, written out where it is a class."""
        match kind.inner if isinstance(kind, Limited) else kind:
            case Class() as cls:
                schema = cls.definition(self)
            case External() as external:
                schema = self._embedded(external)
            case _:
                schema = kind.schema(self)
        return self.complete({key: each for key, each in schema.items() if key != "description"})

    def complete(self, schema: Schema) -> Schema:
        """Return a schema with the definitions that it refers to."""
        for kind in self._waiting:  # which grows
            self._defs[self._names[kind.key]] |= kind.definition(self)
        return schema | {"$defs": self._defs} if self._defs else schema


def _endings() -> Iterator[str]:
    """Yield what a name may end with, so that it differs from others."""
    yield ""
    yield from (f"_{number}" for number in itertools.count(2))


def _fit_name(name: str) -> str:
    """Return a name as providers take it for a tool or a schema."""
    return re.sub(r"[^a-zA-Z0-9]+", "_", name).strip("_")[:_MAX_NAME]


def _short(annotation: Any) -> str:
    """Return the name of a type without its modules."""
    args = [_short(each) for each in get_args(annotation)]
    name = getattr(get_origin(annotation) or annotation, "__name__", str(annotation))
    return "_".join([name, *args])


# -- types -----------------------------------------------------------------------------------------


@attrs.frozen
class Known:
    """What is known of a type.

    Attributes:
        kind: Its kind.
        schema: Its JSON schema, an object.
        is_wrapped: Whether the schema is that of an object around the value.
    """

    kind: Kind
    schema: Schema
    is_wrapped: bool


def known(annotation: Any) -> Known:
    """Return what is known of a type; the schema is not the caller's to change.

    Raises:
        UserError: The type has no JSON schema.
    """
    try:
        # Unions that differ in their order are equal, but have different schemas.
        written = repr(annotation)
        try:
            return _known(annotation, written)
        except TypeError:  # metadata of an `Annotated` may have no hash
            return _known.__wrapped__(annotation, written)
    except RecursionError:
        raise UserError("The type is nested too deeply") from None


@functools.lru_cache(256)
def _known(annotation: Any, written: str) -> Known:
    kind = Resolver().kind(annotation)
    schema = _Definitions().whole(kind)
    if schema.get("type") == "object":
        return Known(kind, schema, is_wrapped=False)
    defs = _Definitions()
    outer = object_schema([Member(OUTER_KEY, kind, required=True)], defs)
    return Known(kind, defs.complete(outer), is_wrapped=True)


def schema_of(annotation: Any) -> Schema:
    """Return the JSON schema of a type: an object, without title and description.

    What is no object is put into one, as its member `OUTER_KEY`.

    Raises:
        UserError: The type has no JSON schema.
    """
    schema = known(annotation).schema
    try:
        return deepcopy(schema)
    except RecursionError:
        raise UserError("The type is nested too deeply") from None


def title_of(annotation: Any) -> str | None:
    """Return a name for a class or an enum, None for any other type."""
    match bare(known(annotation).kind):
        case Class(key=cls) | External(key=cls) | Choice(cls=type() as cls):
            return _fit_name(_short(cls)) or None
    return None


def description_of(annotation: Any) -> str | None:
    """Return what is written about a type: in its `Annotated`, else in its docstring."""
    kind = known(annotation).kind
    while isinstance(kind, (Limited, Alias)):
        if isinstance(kind, Limited) and kind.description:
            return kind.description
        kind = kind.inner
    match kind:
        case Class(description=description) | Choice(description=description):
            return description
        case External():
            return kind.json_schema("").get("description")
    return None


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
    out; what `**kwargs` takes may be added to the object, otherwise nothing may be. A class of
    pydantic's has a schema of its own.

    Raises:
        UserError: A parameter can be given by position only, or has no JSON schema.
    """
    if isinstance(function, type) and external_kind(function):
        return schema_of(function)
    defs = _Definitions()
    try:
        kind, more = kind_of_arguments(function)
        others = False if more is None else more.schema(defs)["additionalProperties"]
        return defs.complete(object_schema(kind.members, defs, others))
    except RecursionError:
        raise UserError(f"A parameter of {function!r:.80} is nested too deeply") from None


def kind_of_arguments(function: Any) -> tuple[Class, Kind | None]:
    """Return the kind of a function's arguments by name, read as a dict, and that of others.

    The second is the dict that `**kwargs` takes, None where the function has none.

    Raises:
        UserError: A parameter can be given by position only, or has an annotation that has no
            JSON schema.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as exc:
        raise UserError(f"The parameters of {function!r} are not known: {exc}") from exc
    written, resolver = _written(function), Resolver()
    hints, descriptions = hints_of(written), argument_descriptions(inspect.getdoc(written))
    if isinstance(below := _below(function), type):
        descriptions = class_descriptions(below) | descriptions
    more: Kind | None = None
    members: list[Member] = []
    for each in parameters:
        hint = hints.get(each.name, Any)
        if each.kind is each.POSITIONAL_ONLY:
            message = f"Parameter {each.name!r} of {named(written)} cannot be given by name"
            raise UserError(message)
        if each.kind is each.VAR_KEYWORD and get_origin(hint) is typing.Unpack:
            members += resolver.members(get_args(hint)[0])
        elif each.kind is each.VAR_KEYWORD:
            more = resolver.kind(dict[str, hint])  # type: ignore[valid-type]
        elif each.kind is not each.VAR_POSITIONAL:
            default, required = each.default, each.default is each.empty
            if callable(getattr(default, "is_required", None)):  # pydantic's `Field`
                hint = Annotated[hint, default]
                required, default = default.is_required(), default.default
            description = descriptions.get(each.name)
            members.append(Member(each.name, resolver.kind(hint), required, default, description))
    name = described(function)[0] or "the function"
    return Class(written, name, dict, lambda: tuple(members)), more
