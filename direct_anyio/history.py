"""Stored histories: messages as JSON, written and read; and the events of a stream.

Guarantees:

1.  What `dump_messages` wrote, `load_messages` reads back as equal messages.
2.  The JSON is that of pydantic-ai's `ModelMessagesTypeAdapter`: both its major versions read
    what is written here, and what either wrote is read here.
3.  Unknown keys are ignored and missing ones take their default. A part or a piece of user
    content of an unknown kind is kept as an `OpaquePart` and written back unchanged.
4.  Any input gives messages or one `UserError` that names the place, in linear time.

`Any` fields (tool results, metadata, provider details, arguments) hold JSON and more. Files,
cache points and texts with metadata keep their usual form wherever they are. What JSON has no
form for is an object with the key `$direct_anyio`, and comes back as what it was:

    bytes                                 {"$direct_anyio": "bytes", "data": "<base64>"}
    NaN, infinities                       {"$direct_anyio": "float", "value": "nan"}
    a dict that looks like a file         {"$direct_anyio": "dict", ...}
    a dict that has that key, with a `v`  {"$direct_anyio": {"was": v}, ...}

Any other value is written as `_values` writes it for a model, and comes back as what JSON holds
for it: a tuple or a set as a list, a dataclass as a dict, a time as text (but for the one that a
response's `provider_details` has). A value that has no form there is refused.
A lone surrogate is written as its escape, which pydantic-ai does not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, partial
from operator import eq
from types import GenericAlias
from typing import Any, Final, Literal, TypeAlias, cast, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn, override

from ._json import parse, serialize
from ._stored import (
    CONTENT,
    EVENTS,
    IMAGE,
    MARK,
    MESSAGES,
    STORED,
    TAGS,
    UNIONS,
    VERBATIM,
    Union,
    looks_like_content,
    renamed,
    unmarked,
)
from ._validation import ValidationError, at, each, refuse
from ._values import Values, default, from_base64, iso_moment
from .content import BinaryContent
from .exceptions import UserError, printable, shown
from .messages import (
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    OpaquePart,
    TextPart,
    ThinkingPart,
)
from .usage import RequestUsage

__all__ = (
    "ModelMessagesTypeAdapter",
    "dump_event",
    "dump_messages",
    "load_messages",
)

StructureHook: TypeAlias = Callable[[Any, Any], Any]
"""Reads a value; cattrs passes its type, too."""

_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class _Revived(Values):
    """Reads what `_Stored` wrote."""

    def mapping(self, value: dict[Any, Any], depth: int) -> Any:
        if "kind" not in value and MARK not in value:
            return value
        mark = value.get(MARK)
        if mark is None or mark == IMAGE:
            return self._content(value, depth) if looks_like_content(value) else value
        if mark == "bytes" and value.keys() == {MARK, "data"}:
            return read_bytes(value["data"])
        if mark == "float" and value.keys() == {MARK, "value"}:
            name = value["value"]
            return _FLOATS.get(name, value) if isinstance(name, str) else value
        return unmarked(value)

    def leaf(self, value: Any, depth: int) -> Any:
        return value

    def _content(self, value: dict[str, Any], depth: int) -> Any:
        """Return the record that an object is, itself where a field does not fit.

        The field that nests is read once the others are known to fit. To find out after it
        would double the work at each level.
        """
        present = renamed(value)
        own = "metadata" if "metadata" in present else "vendor_metadata"
        inner = present.get(own)
        if own == "vendor_metadata" and not isinstance(inner, (dict, type(None))):
            return value
        reader = _converter().get_structure_hook(CONTENT.classes[value["kind"]])
        try:
            record = reader({key: item for key, item in present.items() if key != own}, None)
        except Exception:  # a group of errors, or what the class says
            return value
        if inner is None:
            return record
        if own == "metadata":
            held = at("metadata", self.tree, inner, depth + 1)
        else:  # it is a dict
            held = at(own, self.members, unmarked(inner), depth + 1)
        return attrs.evolve(record, **{own: held})


_REVIVED = _Revived()


# -- readers of fields -----------------------------------------------------------------------------


def _text(value: Any, _: Any) -> str:
    return value if isinstance(value, str) else refuse("text", value)


def read_text_or_null(value: Any, _: Any) -> str:
    """Read a text, or null for none."""
    # pydantic-ai 1 took null for the text of some streams, and wrote it.
    return "" if value is None else _text(value, _)


def read_bool(value: Any, _: Any) -> bool:
    """Read a bool."""
    # 'allow-local' is pydantic-ai's way to say: download, from private addresses too.
    return value if isinstance(value, bool) else value == "allow-local" or refuse("a bool", value)


def read_int(value: Any, _: Any) -> int:
    """Read a count."""
    if type(value) is int:
        return value
    if value is None:  # as old histories hold it
        return 0
    if type(value) is float and value.is_integer():
        return int(value)
    refuse("a whole number", value)


def read_counts(value: Any, _: Any) -> dict[str, int]:
    """Read counts by name."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        refuse("an object", value)
    return {key: at(key, read_int, number, None) for key, number in value.items()}


def read_datetime(value: Any, _: Any) -> datetime:
    """Read a time."""
    try:
        return datetime.fromisoformat(value)
    except ValueError as exc:
        raise ValidationError(f"must be a time in ISO 8601: {exc}") from None
    except TypeError:
        return value if isinstance(value, datetime) else refuse("a time in ISO 8601", value)


def read_bytes(value: Any, _: Any = None) -> bytes:
    """Read base64; bytes stay themselves."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    try:
        return from_base64(_text(value, None))
    except ValueError as exc:
        raise ValidationError(f"must be base64: {exc}") from None


def _one_of(annotation: Any) -> StructureHook:
    names = get_args(annotation)

    def read_choice(value: Any, _: Any) -> Any:
        if value in names:
            return value
        raise ValidationError(f"must be one of {', '.join(map(repr, names))}")

    return read_choice


def read_object(value: Any, _: Any) -> dict[str, Any] | None:
    """Read an object, which is no record whatever it looks like, or null."""
    if value is None:
        return None
    if not isinstance(value, dict):
        refuse("an object or null", value)
    return _REVIVED.members(unmarked(value), 0)


def read_error(value: Any, _: Any) -> dict[str, Any]:
    """Read an error of a retry prompt."""
    error = read_object(value, None)
    if error is None:
        refuse("an object", error)
    # A path is a tuple where the errors come from.
    return error | {"loc": tuple(error["loc"])} if type(error.get("loc")) is list else error


def _each(read_one: StructureHook, value: Any, _: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        refuse("a list", value)
    return each(read_one, value, None)


def _text_or_each(read_one: StructureHook) -> StructureHook:
    return lambda value, _: value if isinstance(value, str) else _each(read_one, value, None)


_HOOKS: dict[Any, StructureHook] = {
    str: _text,
    bool: read_bool,
    int: read_int,
    bytes: read_bytes,
    datetime: read_datetime,
    dict[str, int]: read_counts,
    dict[str, Any] | None: read_object,
    str | dict[str, Any] | None: lambda value, _: (
        value if isinstance(value, str) else read_object(value, None)
    ),
    str | Sequence[dict[str, Any]]: _text_or_each(read_error),
    Any: lambda value, _: _REVIVED.tree(value),
}


# -- readers of records ----------------------------------------------------------------------------


@cache
def _converter() -> Converter:
    converter = Converter()

    def register(annotation: Any, reader: StructureHook) -> None:
        if type(annotation) is type:
            converter.register_structure_hook(annotation, reader)
        else:
            converter.register_structure_hook_func(partial(eq, annotation), reader)

    converter.register_structure_hook_factory(attrs.has, partial(_record_reader, converter))
    converter.register_structure_hook_factory(
        lambda annotation: get_origin(cast(Any, annotation)) is Literal, _one_of
    )
    for annotation, reader in _HOOKS.items():
        register(annotation, reader)
    for annotation, union in UNIONS.items():
        reader = _union_reader(converter, union)
        register(annotation, reader)
        listed = GenericAlias(Sequence, (annotation,))
        register(listed, partial(_each, reader))
        register(str | listed, _text_or_each(reader))
    return converter


def _record_reader(converter: Converter, cls: Any) -> StructureHook:
    if cls is OpaquePart:
        return read_opaque
    # Any: mypy would take the overrides for the options that stand before them.
    known: dict[str, Any] = {
        field.name: override(omit=True) for field in attrs.fields(cls) if field.name in TAGS
    }
    if cls in (TextPart, ThinkingPart):
        known["content"] = override(struct_hook=read_text_or_null)
    make: Any = make_dict_structure_fn(cls, converter, _cattrs_use_alias=True, **known)
    prepare = with_time if cls is ModelResponse else renamed

    def read_record(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            if value is None and cls is RequestUsage:
                return RequestUsage()
            return value if isinstance(value, cls) else refuse("an object", value)
        try:
            record = make(prepare(value), cls)
        except ClassValidationError as group:
            raise _misfit(group.exceptions[0]) from None
        is_image = cls is BinaryContent and value.get(MARK) == IMAGE
        return BinaryContent.narrow_type(record) if is_image else record

    return read_record


def _misfit(error: Exception) -> ValidationError:
    """Return the error inside of one of cattrs: that of a field, noted on it, or of a class."""
    problem = "is missing" if isinstance(error, KeyError) else str(error)
    invalid = error if isinstance(error, ValidationError) else ValidationError(problem)
    note = next(reversed(getattr(error, "__notes__", ())), None)
    if isinstance(note, AttributeValidationNote):
        invalid.inside(note.name.lstrip("_"))
    return invalid


def _union_reader(converter: Converter, union: Union) -> StructureHook:
    readers = {tag: converter.get_structure_hook(cls) for tag, cls in union.classes.items()}

    def read_member(value: Any, _: Any) -> Any:
        try:
            reader = readers[value[union.tag]]
        except (KeyError, TypeError):
            reader = odd
        return reader(value, None)

    def odd(value: Any, _: Any) -> Any:
        if type(value) in union.members:
            return value
        if not isinstance(value, dict):
            refuse("an object", value)
        if union.tag not in value:
            raise ValidationError("is missing", union.tag)
        tag = at(union.tag, _text, value[union.tag], None)
        if OpaquePart in union.members:
            return OpaquePart(VERBATIM.tree(value))
        tags = " or ".join(map(repr, union.classes))
        raise ValidationError(f"must be {tags}, not {shown(tag)}", union.tag)

    return read_member


def read_opaque(value: Any, _: Any) -> OpaquePart:
    """Read a part or a piece of content of no known kind."""
    if isinstance(value, OpaquePart):
        return value
    if not isinstance(value, dict):
        refuse("an object", value)
    kind = value.get("part_kind", value.get("kind"))
    if not isinstance(kind, str) or any(kind in union.classes for union in UNIONS.values()):
        raise ValidationError("must be of an unknown kind")
    return OpaquePart(VERBATIM.tree(value))


def with_time(value: dict[str, Any]) -> dict[str, Any]:
    """Return a response whose details tell when it was made as a time, as it was."""
    value = renamed(value)
    details: Any = value.get("provider_details")
    text = details.get("timestamp") if isinstance(details, dict) else None
    if not isinstance(text, str):
        return value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return value
    if iso_moment(moment) != text:  # another text
        return value
    return {**value, "provider_details": {**details, "timestamp": moment}}


# -- public functions ------------------------------------------------------------------------------


def read(tree: Any, expected: Any, name: str) -> Any:
    """Return what a tree of dicts and lists holds, as a record or records of a type.

    Args:
        tree: What `written` gave, with its bytes and times or with their text.
        expected: The type: a class, a union of classes, or a `Sequence` of one.
        name: What errors call the whole.

    Raises:
        UserError: It holds none; the error names the place.
    """
    try:
        return _converter().structure(tree, expected)
    except ValidationError as invalid:
        raise UserError(invalid.message(name)) from None
    except Exception as exc:  # a class raises any error for what does not fit it
        raise UserError(f"{name}: {printable(str(exc), 200)}") from None


def written(values: Any, union: Union, name: str) -> list[Any]:
    """Return members of a union as dicts, with bytes and times as they are.

    Args:
        values: A list of records.
        union: What they may be.
        name: What errors call the whole.

    Raises:
        UserError: They are others, or hold what JSON cannot; the error names the place.
    """
    try:
        return STORED.each(values, union)
    except ValidationError as invalid:
        raise UserError(invalid.message(name)) from None
    except Exception as exc:  # a value's own methods raise any error
        raise UserError(f"{name}: cannot be written as JSON: {type(exc).__name__}") from exc


def _load(data: bytes | str, expected: Any, name: str) -> Any:
    try:
        tree = parse(data)
    except RecursionError:
        raise UserError(f"{name}: nested too deeply") from None
    except ValueError as exc:
        raise UserError(f"{name}: not JSON: {printable(str(exc))}") from None
    return read(tree, expected, name)


def _dump(tree: Any, name: str, indent: int | None = None) -> bytes:
    try:
        return serialize(tree, default, indent)
    except (TypeError, ValueError, RecursionError) as exc:
        raise UserError(f"{name}: cannot be written as JSON: {exc}") from None


def load_messages(data: bytes | str) -> list[ModelMessage]:
    """Read messages that `dump_messages` or pydantic-ai wrote.

    Args:
        data: The JSON, in UTF-8 where it is bytes. Nothing in it is executed.

    Raises:
        UserError: It is no JSON, or no list of messages; the error names the place.
    """
    return cast(list[ModelMessage], _load(data, Sequence[ModelMessage], "messages"))


def dump_messages(messages: Sequence[ModelMessage], *, indent: int | None = None) -> bytes:
    """Write messages as JSON.

    Args:
        messages: Requests and responses.
        indent: Spaces to indent each level by; None writes one line.

    Raises:
        UserError: They hold what JSON cannot; the error names the place.
    """
    return _dump(written(messages, MESSAGES, "messages"), "messages", indent)


def dump_event(event: ModelResponseStreamEvent) -> bytes:
    """Write an event of a stream as JSON in one line, as pydantic-ai does.

    Args:
        event: The event.

    Raises:
        UserError: It holds what JSON cannot; the error names the place.
    """
    return _dump(written([event], EVENTS, "event")[0], "event")


class _MessagesAdapter:
    """The methods of pydantic-ai's `ModelMessagesTypeAdapter` that programs call."""

    def dump_json(self, messages: Sequence[ModelMessage], *, indent: int | None = None) -> bytes:
        """Write messages as JSON, as `dump_messages` does."""
        return dump_messages(messages, indent=indent)

    def validate_json(self, data: bytes | str) -> list[ModelMessage]:
        """Read messages from JSON, as `load_messages` does."""
        return load_messages(data)

    def dump_python(
        self, messages: Sequence[ModelMessage], *, mode: Literal["python", "json"] = "python"
    ) -> list[dict[str, Any]]:
        """Return messages as dicts.

        Args:
            messages: Requests and responses.
            mode: `'json'` for what JSON knows; `'python'` leaves bytes and times as they are.

        Raises:
            UserError: They hold what JSON cannot; the error names the place.
        """
        if mode == "json":
            return cast(list[dict[str, Any]], parse(dump_messages(messages)))
        return written(messages, MESSAGES, "messages")

    def validate_python(self, objects: Sequence[Any]) -> list[ModelMessage]:
        """Read messages from dicts, or take them as they are.

        Raises:
            UserError: They are no messages; the error names the place.
        """
        return cast(list[ModelMessage], read(objects, Sequence[ModelMessage], "messages"))


ModelMessagesTypeAdapter: Final = _MessagesAdapter()
