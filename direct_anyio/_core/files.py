"""Files in messages: where they are, and those whose URL holds their content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from ..content import BinaryContent, FileUrl
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest
from ..parts import ModelRequestPart, ToolReturnPart, UserPromptPart
from .target import with_parts

__all__ = ("inlined", "with_files")

Convert: TypeAlias = Callable[[FileUrl], FileUrl | BinaryContent]
"""Returns what takes the place of a file by URL; the file itself to leave it there."""


def with_files(messages: Sequence[ModelMessage], convert: Convert) -> list[ModelMessage]:
    """Return messages with other files by URL; the messages given stay as they are."""
    return [
        with_parts(message, [_part_with_files(part, convert) for part in message.parts])
        if isinstance(message, ModelRequest)
        else message
        for message in messages
    ]


def _part_with_files(part: ModelRequestPart, convert: Convert) -> ModelRequestPart:
    if not isinstance(part, (UserPromptPart, ToolReturnPart)) or isinstance(part.content, str):
        return part
    content: Any = part.content
    many = isinstance(content, (list, tuple))
    items = content if many else [content]
    if not any(isinstance(item, FileUrl) for item in items):
        return part
    new: list[Any] = [convert(item) if isinstance(item, FileUrl) else item for item in items]
    return attrs.evolve(part, content=new if many else new[0])


def inlined(file: FileUrl) -> FileUrl | BinaryContent:
    """Return a file whose URL is a `data:` URI as its bytes, any other as it is.

    Raises:
        UserError: The URI cannot be read; the message does not hold it.
    """
    # What is no text is reported where messages are tested, with its place.
    if not isinstance(file.url, str) or file.url[:64].lstrip()[:5].lower() != "data:":
        return file
    try:
        data = BinaryContent.from_data_uri(file.url).data
        content = BinaryContent(
            data,
            media_type=file.media_type,
            vendor_metadata=file.vendor_metadata,
            identifier=file.identifier,
        )
    except ValueError as exc:
        raise UserError(f"The URL of a {type(file).__name__} cannot be read: {exc}") from exc
    return BinaryContent.narrow_type(content)
