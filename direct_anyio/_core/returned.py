"""What several protocols write alike of a tool's call and of its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from .._json import loads
from .._values import as_text, plain, to_json
from ..content import BinaryContent, FileUrl, UploadedFile, UserContent
from ..exceptions import ResponseTooLarge, UserError
from ..parts import BuiltinToolCallPart, ToolCallPart, ToolReturnPart

__all__ = (
    "FILES",
    "File",
    "args_object",
    "args_or_none",
    "args_text",
    "items_of",
    "result_files",
    "result_text",
)

File: TypeAlias = FileUrl | BinaryContent | UploadedFile
FILES = (FileUrl, BinaryContent, UploadedFile)

_INVALID = "INVALID_JSON"


def args_or_none(part: ToolCallPart | BuiltinToolCallPart) -> dict[str, Any] | None:
    """Return a call's arguments; None where they are no JSON object, or nested too deeply.

    A call that was cut short has such, and a model that repeats itself may nest without end.
    """
    args: Any = part.args
    if not args or (isinstance(args, str) and args.isspace()):
        return {}
    try:
        read = loads(args.encode()) if isinstance(args, str) else plain(args)
    except (TypeError, ValueError, RecursionError, ResponseTooLarge, UserError):
        return None
    return read if isinstance(read, dict) else None


def args_object(part: ToolCallPart | BuiltinToolCallPart) -> dict[str, Any]:
    """Return a call's arguments; what is no JSON object under a name that says so."""
    args = args_or_none(part)
    return _invalid(part.args) if args is None else args


def args_text(part: ToolCallPart) -> str:
    """Return a call's arguments as JSON text: as the model wrote them, where that is an object."""
    args = args_or_none(part)
    if args is None:
        return to_json(_invalid(part.args))
    as_written = isinstance(part.args, str) and not part.args.isspace() and part.args
    return as_written or to_json(args)


def _invalid(args: Any) -> dict[str, Any]:
    try:
        return {_INVALID: args if isinstance(args, str) else repr(args)}
    except RecursionError:
        return {_INVALID: "nested too deeply"}


def items_of(part: ToolReturnPart) -> Sequence[Any]:
    """Return the items of a result that JSON has a list for; any other result is the only item."""
    if isinstance(part.content, (list, tuple)):
        return part.content
    written = None if isinstance(part.content, (str, dict, *FILES)) else plain(part.content)
    return written if isinstance(written, list) else (part.content,)


def result_text(part: ToolReturnPart) -> str:
    """Return a result as text, in which a file is named by its identifier."""
    items = _items(part)
    if not any(isinstance(item, FILES) for item in items):
        return part.model_response_str()
    texts = [
        f"See file {item.identifier}." if isinstance(item, FILES) else as_text(item)
        for item in items
    ]
    return to_json(texts) if isinstance(part.content, (list, tuple)) else texts[0]


def result_files(part: ToolReturnPart) -> list[UserContent]:
    """Return the files of a result, for a user message that follows it.

    Each stands between marks, so that the model can distinguish it from the user's own files.
    """
    contents: list[UserContent] = []
    for item in _items(part):
        if isinstance(item, FILES):
            start = (
                f'<pyai:tool_result tool_name="{part.tool_name}" '
                f'tool_call_id="{part.tool_call_id}" file_id="{item.identifier}">'
            )
            contents += (start, cast(UserContent, item), "</pyai:tool_result>")
    return contents


def _items(part: ToolReturnPart) -> Sequence[Any]:
    return part.content if isinstance(part.content, (list, tuple)) else (part.content,)
