"""What several protocols write alike of a tool's call and of its result."""

from __future__ import annotations

from typing import Any, cast

from .._values import as_text, plain, to_json
from ..content import BinaryContent, FileUrl, UploadedFile, UserContent
from ..exceptions import UserError
from ..parts import BuiltinToolCallPart, ToolCallPart, ToolReturnPart

__all__ = ("args_of", "text_and_files")

_FILES = (FileUrl, BinaryContent, UploadedFile)


def args_of(part: ToolCallPart | BuiltinToolCallPart) -> dict[str, Any]:
    """Return a call's arguments as JSON; a text that is none under a name that says so.

    Raises:
        UserError: They are a dict that cannot be written as JSON.
    """
    try:
        return cast(dict[str, Any], plain(part.args_as_dict()))
    except (ValueError, AssertionError, UserError):
        return {"INVALID_JSON": part.args_as_json_str()}


def text_and_files(part: ToolReturnPart) -> tuple[str, list[UserContent]]:
    """Return a result as text, and what a user message that follows must hold.

    In the text a file is called by its identifier; in the message it stands between
    marks, so that the model can tell it from the user's own files.
    """
    many = isinstance(part.content, (list, tuple))
    items = part.content if many else (part.content,)
    files = [item for item in items if isinstance(item, _FILES)]
    if not files:
        return part.model_response_str(), []
    told = [_told(item) for item in items]
    message = [piece for file in files for piece in _marked(part, file)]
    return to_json(told) if many else told[0], message


def _told(item: object) -> str:
    if isinstance(item, _FILES):
        return f"See file {item.identifier}."
    return as_text(item)


def _marked(
    part: ToolReturnPart, file: FileUrl | BinaryContent | UploadedFile
) -> tuple[UserContent, ...]:
    start = (
        f'<pyai:tool_result tool_name="{part.tool_name}" '
        f'tool_call_id="{part.tool_call_id}" file_id="{file.identifier}">'
    )
    return start, cast(UserContent, file), "</pyai:tool_result>"
