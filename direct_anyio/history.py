"""Histories that travel: messages as JSON, to store them and to read them again.

Promises:

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

In an `Any` field tuples and sets come back as lists; times, but for the one that a response's
`provider_details` has, dates, enums, decimals and UUIDs as what JSON holds for them; dataclasses
and other records as dicts.
A lone surrogate is written as its escape, which pydantic-ai does not read.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache, partial
from operator import eq
from typing import Any, Final, Literal, NoReturn, cast

import attrs
from cattrs import Converter
from cattrs.fns import identity

from ._core import fields
from ._core.anything import IMAGE, MARK, Anything, verbatim
from ._core.shapes import Kinds, Reader, Shape, Writer, shape
from ._core.trees import Misfit, at, each, refuse, shown
from .content import (
    AudioUrl,
    BinaryContent,
    BinaryImage,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    TextContent,
    UploadedFile,
    UserContent,
    VideoUrl,
)
from .exceptions import UserError, printable
from .messages import FinishReason, ModelMessage, ModelRequest, ModelResponse, ResponseState
from .parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    ModelRequestPart,
    ModelResponsePart,
    OpaquePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolOutcome,
    ToolReturnPart,
    UserPromptPart,
)
from .usage import RequestUsage

try:
    import orjson  # pyright: ignore[reportMissingImports]
except ImportError:  # pragma: no cover
    _fast = None
else:
    _fast = orjson

__all__ = ("ModelMessagesTypeAdapter", "dump_messages", "load_messages")

_OLD_KEYS: dict[str, str] = {
    "vendor_details": "provider_details",
    "vendor_id": "provider_response_id",
    "request_tokens": "input_tokens",
    "response_tokens": "output_tokens",
    "_media_type": "media_type",  # what pydantic-ai 1 writes for a file in an `Any` field
    "_identifier": "identifier",
}


def _renamed(value: dict[str, Any]) -> dict[str, Any]:
    if _OLD_KEYS.keys().isdisjoint(value):
        return value
    new = {key: item for key, item in value.items() if key not in _OLD_KEYS}
    return {_OLD_KEYS[key]: item for key, item in value.items() if key in _OLD_KEYS} | new


def _content() -> Kinds:
    return _words().content


_ANY = Anything(_content, _renamed)


# -- fields that hold more than one thing ---------------------------------------------------------


def _args(value: Any, _: Any) -> str | dict[str, Any] | None:
    return value if value is None or isinstance(value, str) else _ANY.read_dict(value, None)


def _errors(value: Any, _: Any) -> str | list[dict[str, Any]]:
    return value if isinstance(value, str) else each(_error, value)


def _error(value: Any) -> dict[str, Any]:
    error = _ANY.read_dict(value, None)
    if error is None:
        refuse("an object", error)
    # A path is a tuple where the errors come from.
    return error | {"loc": tuple(error["loc"])} if type(error.get("loc")) is list else error


def _written_errors(value: Any) -> Any:
    return value if isinstance(value, str) else each(_ANY.write_dict, value)


def _user_content(value: Any, _: Any) -> str | list[UserContent]:
    return value if isinstance(value, str) else each(_piece, value)


def _piece(value: Any) -> Any:
    return value if isinstance(value, str) else _words().content.read(value)


def _written_user_content(value: Any) -> Any:
    return value if isinstance(value, str) else each(_written_piece, value)


def _written_piece(value: Any) -> Any:
    return value if isinstance(value, str) else _words().content.write(value)


def _opaque(value: Any) -> OpaquePart:
    return OpaquePart(verbatim(value))


def _written_opaque(part: OpaquePart) -> Any:
    return verbatim(part.data)


def _usage(value: Any, _: Any) -> RequestUsage:
    if value is None or isinstance(value, RequestUsage):
        return value or RequestUsage()
    return cast(RequestUsage, _words().usage.read(value))


def _written_usage(usage: RequestUsage) -> Any:
    return _words().usage.write(usage)


def _file(value: Any, _: Any) -> BinaryContent:
    if isinstance(value, BinaryContent):
        return value
    return cast(BinaryContent, _words().file.read(value))


def _request_parts(parts: Any, _: Any) -> list[ModelRequestPart]:
    return _words().request_parts.read_each(parts)


def _written_request_parts(parts: Any) -> list[Any]:
    return each(_words().request_parts.write, parts)


def _response_parts(parts: Any, _: Any) -> list[ModelResponsePart]:
    return _words().response_parts.read_each(parts)


def _written_response_parts(parts: Any) -> list[Any]:
    return each(_words().response_parts.write, parts)


# -- user content, written: with what v1 computes --------------------------------------------------


def _computed(record: Any, name: str) -> str | None:
    try:
        return cast(str, getattr(record, name))
    except ValueError:  # a type that the URL does not tell, or a URL that is no UTF-8
        return None


def _written_url(file: ImageUrl | AudioUrl | DocumentUrl | VideoUrl) -> dict[str, Any]:
    return {
        "url": file.url,
        "force_download": file.force_download,
        "vendor_metadata": at(".vendor_metadata", _ANY.write_dict, file.vendor_metadata),
        "kind": file.kind,
        "media_type": _computed(file, "media_type"),
        "identifier": _computed(file, "identifier"),
    }


def _written_binary(file: BinaryContent) -> dict[str, Any]:
    return {
        "data": file.data,
        "media_type": file.media_type,
        "vendor_metadata": at(".vendor_metadata", _ANY.write_dict, file.vendor_metadata),
        "kind": file.kind,
        "identifier": file.identifier,
    }


def _written_image(file: BinaryImage) -> dict[str, Any]:
    # Both classes have one form, and that form is read as `BinaryContent`.
    return _written_binary(file) | {MARK: IMAGE}


def _written_upload(file: UploadedFile) -> dict[str, Any]:
    return {
        "file_id": file.file_id,
        "provider_name": file.provider_name,
        "vendor_metadata": at(".vendor_metadata", _ANY.write_dict, file.vendor_metadata),
        "kind": file.kind,
        "media_type": file.media_type,
        "identifier": _computed(file, "identifier"),
    }


def _written_text(text: TextContent) -> dict[str, Any]:
    metadata = at(".metadata", _ANY.write, text.metadata)
    return {"content": text.content, "metadata": metadata, "kind": text.kind}


# -- the converter ---------------------------------------------------------------------------------

# How a field of each type is read and written.
_FIELDS: dict[Any, tuple[Reader, Writer]] = {
    str: (fields.text, identity),
    str | None: (fields.maybe_text, identity),
    bool: (fields.flag, identity),
    int: (fields.count, identity),
    bytes: (fields.data, identity),
    datetime: (fields.moment, fields.written_moment),
    datetime | None: (fields.maybe_moment, lambda moment: moment and fields.written_moment(moment)),
    dict[str, int]: (fields.counts, dict),
    dict[str, Any] | None: (_ANY.read_dict, _ANY.write_dict),
    str | dict[str, Any] | None: (_args, _ANY.write_dict),
    str | Sequence[dict[str, Any]]: (_errors, _written_errors),
    str | Sequence[UserContent]: (_user_content, _written_user_content),
    Any: (_ANY.read, _ANY.write),
    RequestUsage: (_usage, _written_usage),
    BinaryContent: (_file, _written_binary),
    Sequence[ModelRequestPart]: (_request_parts, _written_request_parts),
    Sequence[ModelResponsePart]: (_response_parts, _written_response_parts),
    ToolOutcome: (fields.one_of(ToolOutcome), identity),
    ResponseState: (fields.one_of(ResponseState), identity),
    FinishReason | None: (fields.one_of(FinishReason, None), identity),
    Literal["5m", "1h"]: (fields.one_of(Literal["5m", "1h"]), identity),
}

_WRITERS: dict[type, Writer] = {
    **dict.fromkeys((ImageUrl, AudioUrl, DocumentUrl, VideoUrl), _written_url),
    BinaryContent: _written_binary,
    BinaryImage: _written_image,
    UploadedFile: _written_upload,
    TextContent: _written_text,
    OpaquePart: _written_opaque,
}


def _with_text(value: dict[str, Any]) -> dict[str, Any]:
    # pydantic-ai 1 took null for the text of some streams, and wrote it.
    return {**value, "content": ""} if value.get("content", "") is None else value


_REQUEST_PARTS: dict[str, type] = {
    "system-prompt": SystemPromptPart,
    "user-prompt": UserPromptPart,
    "tool-return": ToolReturnPart,
    "retry-prompt": RetryPromptPart,
    # What pydantic-ai 2 calls a retry prompt that answers no tool call; it reads the old name too.
    "retry-feedback": RetryPromptPart,
}
_RESPONSE_PARTS: dict[str, type] = {
    "text": TextPart,
    "tool-call": ToolCallPart,
    "builtin-tool-call": BuiltinToolCallPart,
    "builtin-tool-return": BuiltinToolReturnPart,
    "thinking": ThinkingPart,
    "file": FilePart,
}
_CONTENT: dict[str, type] = {
    "image-url": ImageUrl,
    "audio-url": AudioUrl,
    "document-url": DocumentUrl,
    "video-url": VideoUrl,
    "binary": BinaryContent,
    "uploaded-file": UploadedFile,
    "text-content": TextContent,
    "cache-point": CachePoint,
}
_MESSAGES: dict[str, type] = {"request": ModelRequest, "response": ModelResponse}


@attrs.frozen
class _Words:
    """All that can be read and written, by where it may stand."""

    messages: Kinds
    request_parts: Kinds
    response_parts: Kinds
    content: Kinds
    usage: Shape
    file: Shape


@lru_cache(maxsize=1)
def _words() -> _Words:
    converter = Converter(detailed_validation=False)
    for kind, (read, write) in _FIELDS.items():
        _register(converter, kind, read, write)
    kinds = partial(_kinds, converter)
    return _Words(
        kinds("kind", _MESSAGES, _no_message),
        kinds("part_kind", _REQUEST_PARTS, _opaque),
        kinds("part_kind", _RESPONSE_PARTS, _opaque),
        kinds("kind", _CONTENT, _opaque),
        _shape(converter, RequestUsage),
        _shape(converter, BinaryContent),
    )


def _register(converter: Converter, kind: Any, read: Reader, write: Writer) -> None:
    if type(kind) is type:
        converter.register_structure_hook(kind, read)
        converter.register_unstructure_hook(kind, write)
    else:
        converter.register_structure_hook_func(partial(eq, kind), read)
        converter.register_unstructure_hook_func(partial(eq, kind), write)


def _kinds(
    converter: Converter,
    tag: str,
    classes: dict[str, type],
    unknown: Callable[[dict[str, Any]], Any],
) -> Kinds:
    shapes = {cls: _shape(converter, cls) for cls in set(classes.values())}
    by_kind = {kind: shapes[cls] for kind, cls in classes.items()}
    return Kinds(tag, by_kind, shapes, unknown, _WRITERS if unknown is _opaque else {})


def _shape(converter: Converter, cls: type) -> Shape:
    # `state` and `outcome` are what pydantic-ai 1 does not write.
    made = shape(
        converter,
        cls,
        additions=frozenset({"state", "outcome"}),
        renamed=_with_text if cls is TextPart else _renamed,
    )
    wrap = {BinaryContent: _narrowing, ModelResponse: _dating}.get(cls)
    if wrap is None:
        return made
    return attrs.evolve(made, full=wrap(made.full), lenient=wrap(made.lenient))


def _narrowing(read: Reader) -> Reader:
    def read_file(value: Any, kind: Any) -> BinaryContent:
        file = read(value, kind)
        return BinaryContent.narrow_type(file) if value.get(MARK) == IMAGE else file

    return read_file


def _dating(read: Reader) -> Reader:
    """Return what reads a response whose details tell when it was made: a time, as it was."""

    def read_response(value: Any, kind: Any) -> ModelResponse:
        details = value.get("provider_details")
        told = details.get("timestamp") if isinstance(details, dict) else None
        if isinstance(told, str) and (moment := _moment_of(told)) is not None:
            value = {**value, "provider_details": {**details, "timestamp": moment}}
        return cast(ModelResponse, read(value, kind))

    return read_response


def _moment_of(text: str) -> datetime | None:
    """Return the time that is written so, None where it is another text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if _json_default(moment) == text else None


def _no_message(value: dict[str, Any]) -> NoReturn:
    raise Misfit(f"must be 'request' or 'response', not {shown(value['kind'])}", ".kind")


# -- JSON ------------------------------------------------------------------------------------------

# orjson reads an integer of more than 64 bits as a float; a scan by `re` takes longer than it.
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else ord(" ") for byte in range(256))
_BIG_NUMBER = b"0" * 19
_SURROGATE = re.compile("[\ud800-\udfff]")


def _parsed(data: bytes | bytearray | memoryview | str) -> Any:
    """Read JSON; of duplicate keys the last one counts, a lone surrogate stays."""
    if isinstance(data, str):
        try:
            return _parsed(data.encode())
        except UnicodeEncodeError:  # a surrogate that the text holds as it is
            return _decoder.decode(data)
    data = bytes(data)
    if _fast is not None and _BIG_NUMBER not in data.translate(_DIGITS):
        try:
            return _fast.loads(data)
        except ValueError:  # or what only the standard library reads
            pass
    return _decoder.decode(data.decode())


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def _written_json(tree: Any, indent: int | None = None) -> bytes:
    if _fast is not None and indent is None:
        try:
            return cast(bytes, _fast.dumps(tree, default=_json_default, option=_fast.OPT_UTC_Z))
        except TypeError:  # big integers, lone surrogates, depth
            pass
    text = json.dumps(
        tree,
        check_circular=False,  # it is a copy, of limited depth
        default=_json_default,
        allow_nan=False,
        ensure_ascii=False,
        indent=indent,
        separators=(",", ":") if indent is None else None,
    )
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _json_default(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return urlsafe_b64encode(value).decode()
    if isinstance(value, datetime):
        text = value.isoformat()
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text
    raise TypeError(f"a {type(value).__name__} in a field that cannot hold one")


# -- the doors -------------------------------------------------------------------------------------


def _structured(objects: Any) -> list[ModelMessage]:
    try:
        return _words().messages.read_each(objects)
    except Misfit as misfit:
        raise UserError(f"messages{misfit.place}: {misfit.said}") from None
    except RecursionError:
        raise UserError("messages: nested too deeply") from None


def _unstructured(messages: Iterable[ModelMessage]) -> list[dict[str, Any]]:
    try:
        return each(_words().messages.write, messages)
    except Misfit as misfit:
        raise UserError(f"messages{misfit.place}: {misfit.said}") from None
    except RecursionError:
        raise UserError("messages: nested too deeply") from None


def load_messages(data: bytes | str) -> list[ModelMessage]:
    """Read messages that `dump_messages` or pydantic-ai wrote.

    Args:
        data: The JSON, in UTF-8 where it is bytes. Nothing in it is executed.

    Raises:
        UserError: It is no JSON, or no list of messages; the error names the place.
    """
    try:
        objects = _parsed(data)
    except RecursionError:
        raise UserError("messages: nested too deeply") from None
    except ValueError as exc:
        raise UserError(f"messages: no JSON: {printable(str(exc))}") from None
    return _structured(objects)


def dump_messages(messages: Sequence[ModelMessage], *, indent: int | None = None) -> bytes:
    """Write messages as JSON.

    Args:
        messages: Requests and responses.
        indent: Spaces to indent each level by; None writes one line.

    Raises:
        UserError: They hold what JSON cannot; the error names the place.
    """
    tree = _unstructured(messages)
    try:
        return _written_json(tree, indent)
    except (TypeError, ValueError, RecursionError) as exc:
        raise UserError(f"messages: cannot be written as JSON: {exc}") from None


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
            return cast(list[dict[str, Any]], _parsed(dump_messages(messages)))
        return _unstructured(messages)

    def validate_python(self, objects: Sequence[Any]) -> list[ModelMessage]:
        """Read messages from dicts, or take them as they are.

        Raises:
            UserError: They are no messages; the error names the place.
        """
        return _structured(objects)


ModelMessagesTypeAdapter: Final = _MessagesAdapter()
