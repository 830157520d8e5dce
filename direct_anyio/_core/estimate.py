"""Rough token counts for models that count none; made up, but plausible in tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..content import BinaryContent, TextContent, UserContent
from ..messages import ModelMessage, ModelRequest
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..usage import RequestUsage

__all__ = ("estimated_tokens", "estimated_usage")

OVERHEAD = 50
"""Tokens that a request costs with providers beside its messages."""

_SEPARATORS = re.compile(r'[\s",.:]+')


def estimated_usage(messages: Iterable[ModelMessage]) -> RequestUsage:
    """Return what a conversation may have used."""
    read, written = OVERHEAD, 0
    for message in messages:
        tokens = 0
        for part in message.parts:
            match part:
                case SystemPromptPart() | UserPromptPart() | TextPart() | ThinkingPart():
                    tokens += estimated_tokens(part.content)
                case ToolReturnPart() | BuiltinToolReturnPart():
                    tokens += estimated_tokens(part.model_response_str())
                case RetryPromptPart():
                    tokens += estimated_tokens(part.model_response())
                case ToolCallPart() | BuiltinToolCallPart():
                    tokens += 1 + estimated_tokens(part.args_as_json_str())
                case FilePart():
                    tokens += estimated_tokens([part.content])
        if isinstance(message, ModelRequest):
            read += tokens
        else:
            written += tokens
    return RequestUsage(input_tokens=read, output_tokens=written)


def estimated_tokens(content: str | Sequence[UserContent]) -> int:
    """Return the words of a text; of a sequence its words, and the bytes of its files."""
    if isinstance(content, str):
        return len(_SEPARATORS.split(content.strip())) if content else 0
    total = 0
    for item in content:
        match item:
            case str():
                total += estimated_tokens(item)
            case TextContent():
                total += estimated_tokens(item.content)
            case BinaryContent():
                total += len(item.data)
    return total
