"""Files in messages: where they are, and those whose URL holds their content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from ..content import BinaryContent, FileUrl
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest
from ..parts import ToolReturnPart, UserPromptPart
from .encoding import place
from .target import with_parts

__all__ = ("inlined", "with_files")

Convert: TypeAlias = Callable[[FileUrl], FileUrl | BinaryContent]
"""Returns what takes the place of a file by URL; the file itself to leave it there."""


def with_files(messages: Sequence[ModelMessage], convert: Convert) -> list[ModelMessage]:
    """Return messages with other files by URL; the messages given stay as they are.

    Raises:
        UserError: `convert` raised a `ValueError`; the message names the message and the part.
    """
    new = list(messages)
    for at, message in enumerate(messages):
        if not isinstance(message, ModelRequest):
            continue
        parts = list(message.parts)
        for number, part in enumerate(parts):
            content: Any = getattr(part, "content", "")
            is_list = isinstance(content, (list, tuple))
            items = content if is_list else [content]
            if not isinstance(part, (UserPromptPart, ToolReturnPart)) or not any(
                isinstance(item, FileUrl) for item in items
            ):
                continue
            try:
                converted: list[Any] = [
                    convert(item) if isinstance(item, FileUrl) else item for item in items
                ]
            except ValueError as exc:
                raise UserError(f"{place(at, number, part)} cannot be sent: {exc}") from exc
            parts[number] = attrs.evolve(part, content=converted if is_list else converted[0])
        new[at] = with_parts(message, parts)
    return new


def inlined(file: FileUrl) -> FileUrl | BinaryContent:
    """Return a file whose URL is a `data:` URI as its bytes, any other as it is.

    Raises:
        ValueError: The URI cannot be read; the message does not hold it.
    """
    # What is no text is reported where messages are tested, with its place.
    if not isinstance(file.url, str) or file.url[:64].lstrip()[:5].lower() != "data:":
        return file
    content = BinaryContent(
        BinaryContent.from_data_uri(file.url).data,
        media_type=file.media_type,
        vendor_metadata=file.vendor_metadata,
        identifier=file.identifier,
    )
    return BinaryContent.narrow_type(content)
