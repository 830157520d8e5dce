"""Records of attrs classes as JSON objects, and back: fast where all is well, exact where not.

A `Shape` is one class, `Kinds` a closed union of them told apart by a tag. What is wrong leaves
as `Misfit` with its place. An object is read at most twice: as one that has every key, and
where a key lacks once more with defaults; a field that nests is read last, so that what it
holds is not read twice at every level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NoReturn, TypeAlias, cast

import attrs
from cattrs import Converter
from cattrs.fns import identity
from cattrs.gen import make_dict_unstructure_fn, override

from .trees import Misfit, at, refuse

__all__ = ("TAGS", "Field", "Kinds", "Reader", "Shape", "Writer", "shape")

TAGS = ("kind", "part_kind")
"""The fields that tell a class; they are written, and not read."""

Reader: TypeAlias = Callable[[Any, Any], Any]
"""Reads a value; cattrs passes its type too."""

Writer: TypeAlias = Callable[[Any], Any]
"""Gives what JSON holds for a value."""

_MISFITS = (AttributeError, LookupError, TypeError, ValueError)
"""What a reader raises for an object that is not of its shape."""


@attrs.frozen
class Field:
    """One field of a record.

    Attributes:
        name: Its name in the class.
        key: Its key in the object.
        kind: Its type.
        needed: Whether it has no default.
        converted: Whether the class converts its value.
        read: Reads its value.
        write: Writes its value.
    """

    name: str
    key: str
    kind: Any
    needed: bool
    converted: bool
    read: Reader
    write: Writer


@attrs.frozen
class Shape:
    """How one class of record is read and written.

    Attributes:
        full: Reads an object that has all keys; one that lacks a key raises `KeyError`.
        lenient: Reads an object that may lack keys that have a default, in more time.
        renamed: Gives an object its present keys for old ones; itself where it has none.
        write: Writes a record.
        fields: The fields, in the order in which they are read.
    """

    full: Reader
    lenient: Reader
    renamed: Callable[[dict[str, Any]], dict[str, Any]]
    write: Writer
    fields: tuple[Field, ...]

    def read(self, value: Any) -> Any:
        """Read an object."""
        try:
            return self.full(value, None)
        except _MISFITS as exc:
            return self.reread(value, exc)

    def reread(self, value: Any, exc: Exception) -> Any:
        """Read an object that lacks keys or has old ones, or say what is wrong with it.

        Args:
            value: The object.
            exc: What `full` raised for it.
        """
        if not isinstance(value, dict):
            refuse("an object", value)
        present = self.renamed(value)
        if present is value and isinstance(exc, Misfit):
            raise exc.inside(self._step(exc)) from None
        try:
            return self.lenient(present, None)
        except Misfit as misfit:
            raise misfit.inside(self._step(misfit)) from None
        except KeyError as missing:
            raise Misfit("is missing", f".{missing.args[0]}") from None

    def _step(self, misfit: Misfit) -> str:
        # The compiled reader has one line for each field, and the traceback knows which it was.
        trace = misfit.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != _COMPILED:
            trace = trace.tb_next
        return "" if trace is None else f".{self.fields[trace.tb_lineno - _FIRST_LINE].key}"

    def miswritten(self, record: object) -> NoReturn:
        """Name the field that could not be written."""
        for field in self.fields:
            at(f".{field.key}", field.write, getattr(record, field.name))
        raise Misfit("cannot be written")

    def fits(self, value: dict[str, Any]) -> bool:
        """Return whether the fields that do not nest can be read, and the others may nest."""
        try:
            for field in self.fields:
                if field.key in value:
                    _fit(field, value[field.key])
        except Misfit:
            return False
        return True


def _fit(field: Field, value: Any) -> None:
    if field.kind == dict[str, Any] | None:
        if not isinstance(value, (dict, type(None))):
            refuse("an object or null", value)
    elif field.kind is not Any:
        field.read(value, None)


class Kinds:
    """A closed union of records, told apart by a tag.

    Args:
        tag: The key of the tag.
        shapes: The shape of each tag.
        classes: The shape of each class.
        unknown: Reads an object with another tag.
        others: Writers that name the place themselves, of these classes and of more.
    """

    def __init__(
        self,
        tag: str,
        shapes: Mapping[str, Shape],
        classes: Mapping[type, Shape],
        unknown: Callable[[dict[str, Any]], Any],
        others: Mapping[type, Writer],
    ) -> None:
        self._tag = tag
        self._shapes = shapes
        self._classes = classes
        self._unknown = unknown
        self._others = others
        self._readers = {kind: shape.full for kind, shape in shapes.items()}
        self._writers = {cls: shape.write for cls, shape in classes.items()} | dict(others)

    def __contains__(self, cls: type) -> bool:
        return cls in self._writers

    def read(self, value: Any) -> Any:
        """Read an object; a record in its place stays itself."""
        try:
            return self._readers[value[self._tag]](value, None)
        except _MISFITS as exc:
            return self._odd(value, exc)

    def read_each(self, values: Any) -> list[Any]:
        """Read a list of objects."""
        if not isinstance(values, (list, tuple)):
            refuse("a list", values)
        readers, tag = self._readers, self._tag
        done: list[Any] = []
        for value in values:
            try:
                record = readers[value[tag]](value, None)
            except _MISFITS as exc:
                record = at(f"[{len(done)}]", self._odd, value, exc)
            done.append(record)
        return done

    def _odd(self, value: Any, exc: Exception) -> Any:
        if type(value) in self._writers:
            return value
        if not isinstance(value, dict):
            refuse("an object", value)
        if self._tag not in value:
            raise Misfit("is missing", f".{self._tag}")
        kind = value[self._tag]
        if not isinstance(kind, str):
            at(f".{self._tag}", partial(refuse, "text"), kind)
        shape = self._shapes.get(kind)
        return self._unknown(value) if shape is None else shape.reread(value, exc)

    def write(self, record: Any) -> Any:
        """Write a record."""
        write = self._writers.get(type(record))
        if write is None:
            refuse(f"one of {', '.join(sorted(cls.__name__ for cls in self._classes))}", record)
        try:
            return write(record)
        except Misfit:
            if type(record) in self._others:
                raise
            self._classes[type(record)].miswritten(record)

    def fits(self, kind: str, value: dict[str, Any]) -> bool:
        """Return whether an object has all that can be checked of a kind without walking it."""
        return self._shapes[kind].fits(value)


def shape(
    converter: Converter,
    cls: type,
    *,
    additions: frozenset[str],
    renamed: Callable[[dict[str, Any]], dict[str, Any]],
) -> Shape:
    """Make the shape of a class from the hooks that a converter has for its fields' types.

    Args:
        converter: The converter.
        cls: The class.
        additions: Fields that an object with all keys may still lack.
        renamed: As in `Shape`.
    """
    fields = _fields(converter, cls)
    # Any: mypy would take the overrides for the options that stand before them.
    tags: dict[str, Any] = dict.fromkeys(TAGS, override(unstruct_hook=identity))
    return Shape(
        _compiled(cls, fields, {field.name for field in fields if field.name in additions}),
        _compiled(cls, fields, {field.name for field in fields if not field.needed}),
        renamed,
        make_dict_unstructure_fn(cls, converter, **tags),
        fields,
    )


def _fields(converter: Converter, cls: type) -> tuple[Field, ...]:
    fields = (
        Field(
            field.name,
            field.alias,
            field.type,
            field.default is attrs.NOTHING,
            field.converter is not None,
            _converted(converter.get_structure_hook(field.type), field.converter),
            converter.get_unstructure_hook(field.type),
        )
        for field in attrs.fields(attrs.resolve_types(cls))
        if field.name not in TAGS
    )
    return tuple(sorted(fields, key=_order))


def _converted(read: Reader, converter: Any) -> Reader:
    return read if converter is None else lambda value, kind: converter(read(value, kind))


# What is read without a call of the field's reader, which gets what is not so plain.
_INLINE: dict[Any, str] = {
    str: "v if type(v) is str else {read}",
    int: "v if type(v) is int else {read}",
    str | None: "v if v is None or type(v) is str else {read}",
    dict[str, Any] | None: "v if v is None else {read}",
    datetime: "moment(v) if type(v) is str else {read}",
    datetime | None: "v if v is None else {read}",
}
_NESTING = (Any, dict[str, Any] | None)

_COMPILED = "<compiled reader>"
_FIRST_LINE = 3


def _order(field: Field) -> tuple[bool, bool]:
    return field.kind in _NESTING, field.kind not in _INLINE


def _compiled(cls: type, fields: tuple[Field, ...], optional: set[str]) -> Reader:
    """Compile the reader of an object; `optional` names the fields that it may lack.

    cattrs' own calls a hook for each field and then the constructor, which looks each slot of
    a frozen class up anew; without both the whole load takes two thirds of the time.
    """
    names: dict[str, Any] = {
        "new": object.__new__,
        "cls": cls,
        "moment": datetime.fromisoformat,
    }
    for attribute in attrs.fields(cls):
        names[f"set_{attribute.name}"] = getattr(cls, attribute.name).__set__
        names[f"default_{attribute.name}"] = _default(attribute.default)
    for field in fields:
        names[f"read_{field.name}"] = field.read
    lines = [
        "def read(o, _):",
        "self = new(cls)",
        *(_line(field, field.name in optional) for field in fields),
        *(f"set_{tag}(self, default_{tag}())" for tag in TAGS if f"set_{tag}" in names),
        "return self",
    ]
    exec(compile("\n ".join(lines), _COMPILED, "exec"), names)
    return cast(Reader, names["read"])


def _default(default: Any) -> Callable[[], Any]:
    return cast(Callable[[], Any], getattr(default, "factory", lambda: default))


def _line(field: Field, optional: bool) -> str:
    name, found = field.name, f"o[{field.key!r}]"
    if optional:
        read = f"read_{name}({found}, None) if {field.key!r} in o else default_{name}()"
        return f"set_{name}(self, {read})"
    if field.kind not in _INLINE or field.converted:
        return f"set_{name}(self, read_{name}({found}, None))"
    return (
        f"v = {found}; set_{name}(self, {_INLINE[field.kind].format(read=f'read_{name}(v, None)')})"
    )
